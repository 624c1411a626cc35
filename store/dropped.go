package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strconv"
)

// dropped is up to where files were dropped for the budget, by the step of their
// tier in ms. It is in meta.json, since files that are not there do not say why.
type dropped map[string]int64

// noteDropped has the folder know up to where files of a tier are gone. What
// could not be written is written with the next file that goes, or the next
// round. The caller holds a.round.
func (a *archives) noteDropped(tier int, end int64) {
	step := strconv.FormatInt(a.store.tiers[tier].grid.step, 10)
	if old, found := a.lacks[step]; found && old >= end {
		return
	}
	if a.lacks == nil {
		a.lacks = dropped{}
	}
	a.lacks[step], a.untold = end, true
	a.tellDropped()
}

// tellDropped writes what noteDropped could not. The caller holds a.round.
func (a *archives) tellDropped() {
	if !a.untold {
		return
	}
	err := writeMeta(a.fs, meta{Format: format, Step: a.store.grid.step, Dropped: a.lacks})
	if a.untold = err != nil; a.untold {
		a.log.Warn().Err(err).Msg("not noted which archive files were dropped")
	}
}

// resumeDropped has the tiers know what noteDropped noted.
func (a *archives) resumeDropped() error {
	text, err := readFile(a.fs, metaName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var m meta
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", metaName, err)
	}
	a.lacks = maps.Clone(m.Dropped)
	for _, t := range a.store.tiers {
		if end, found := a.lacks[strconv.FormatInt(t.grid.step, 10)]; found {
			t.gone(end)
		}
	}
	return nil
}
