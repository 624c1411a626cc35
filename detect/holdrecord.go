package detect

import (
	"maps"
	"slices"
	"strconv"

	"pulse/detect/notify"
)

// What routes and inhibit rules said, as a part of the record of an incident: what
// encoding/json would write.

func (in *incident) appendHolds(dst []byte) []byte {
	if in.Routed {
		dst = append(dst, `,"routed":true`...)
	}
	for i := range in.Legs {
		dst = append(dst, opening(i, `,"legs":[`)...)
		dst = in.Legs[i].append(dst)
	}
	if len(in.Legs) > 0 {
		dst = append(dst, ']')
	}
	for i := range in.Inhibited {
		dst = append(dst, opening(i, `,"inhibited":[`)...)
		dst = notify.AppendString(append(dst, `{"name":`...), in.Inhibited[i].Name)
		dst = notify.AppendString(append(dst, `,"incident":`...), in.Inhibited[i].Incident)
		dst = append(dst, '}')
	}
	if len(in.Inhibited) > 0 {
		dst = append(dst, ']')
	}
	return dst
}

// opening is what stands before the i-th element of a list that begins as given.
func opening(i int, begin string) string {
	if i == 0 {
		return begin
	}
	return ","
}

func (l *leg) append(dst []byte) []byte {
	dst = notify.AppendString(append(dst, `{"receiver":`...), l.Receiver)
	if l.Group != nil {
		dst = l.Group.append(append(dst, `,"group":`...))
	}
	dst = appendTexts(dst, `,"mutedBy":[`, l.MutedBy)
	dst = appendTexts(dst, `,"outside":[`, l.Outside)
	dst = appendMs(dst, `,"told":`, l.Told)
	dst = appendTexts(dst, `,"quiet":[`, l.Quiet)
	return append(dst, '}')
}

func (g *legGroup) append(dst []byte) []byte {
	dst = notify.AppendString(append(dst, `{"key":`...), g.Key)
	for i, name := range slices.Sorted(maps.Keys(g.Labels)) {
		dst = append(dst, opening(i, `,"labels":{`)...)
		dst = append(notify.AppendString(dst, name), ':')
		dst = notify.AppendString(dst, g.Labels[name])
	}
	if len(g.Labels) > 0 {
		dst = append(dst, '}')
	}
	dst = appendMs(dst, `,"wait":`, g.Wait)
	dst = appendMs(dst, `,"interval":`, g.Interval)
	dst = appendMs(dst, `,"repeat":`, g.Repeat)
	return append(dst, '}')
}

// appendMs appends a number that begins as given, nothing for 0.
func appendMs(dst []byte, begin string, v int64) []byte {
	if v == 0 {
		return dst
	}
	return strconv.AppendInt(append(dst, begin...), v, 10)
}

// appendTexts appends a list that begins as given, nothing for an empty one.
func appendTexts(dst []byte, begin string, list []string) []byte {
	for i, text := range list {
		if i == 0 {
			dst = append(dst, begin...)
		} else {
			dst = append(dst, ',')
		}
		dst = notify.AppendString(dst, text)
	}
	if len(list) > 0 {
		dst = append(dst, ']')
	}
	return dst
}
