package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pulse/detect/algo"
)

type scoreCmd struct {
	Files    []string `arg:"" name:"file" help:"CSV files with a header and the columns timestamp,value, and for the detector compare baseline." type:"existingfile"`
	Detector string   `help:"Detector kind: ${detectors} [double-exponential]." default:"double-exponential" placeholder:"KIND"`
	Step     span     `help:"Rows are consecutive steps of this length and their timestamps are not read. Default: the timestamps tell." env:"PULSE_SCORE_STEP" placeholder:"D"`
	Origin   *int64   `help:"With --step: time of the first row, Unix milliseconds, a multiple of the step; the output then carries these times." placeholder:"MS"`
	Set      []string `help:"A key of the detector, key=value (repeatable)." sep:"none" placeholder:"K=V"`
	Out      string   `help:"Write one file per input into this folder instead of standard output." placeholder:"DIR"`
}

// Run judges each file on its own, with a fresh detector.
func (c *scoreCmd) Run(e *env) error {
	spec := algo.Spec{Kind: c.Detector}
	for _, text := range c.Set {
		if err := spec.Set(text); err != nil {
			return fmt.Errorf("--set %w", err)
		}
	}
	if c.Origin != nil && c.Step == 0 {
		return fmt.Errorf("--origin needs --step")
	}
	opts := algo.ScoreOptions{Step: c.Step.ms(), Origin: c.Origin}
	if c.Out == "" {
		for _, name := range c.Files {
			out := bufio.NewWriter(e.stdout)
			if err := scoreFile(out, name, spec, opts); err != nil {
				return err
			}
			if err := out.Flush(); err != nil {
				return err
			}
		}
		return nil
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	for _, name := range c.Files {
		if err := scoreInto(filepath.Join(c.Out, filepath.Base(name)), name, spec, opts); err != nil {
			return err
		}
	}
	return nil
}

// scoreInto writes the verdicts of one input to a file of its own.
func scoreInto(target, name string, spec algo.Spec, opts algo.ScoreOptions) (err error) {
	f, err := os.Create(target)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	out := bufio.NewWriter(f)
	if err := scoreFile(out, name, spec, opts); err != nil {
		return err
	}
	return out.Flush()
}

func scoreFile(out *bufio.Writer, name string, spec algo.Spec, opts algo.ScoreOptions) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := algo.Score(out, bufio.NewReader(in), spec, opts); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// detectorKinds lists the kinds for the help text.
func detectorKinds() string {
	var names []string
	for _, k := range algo.Kinds() {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}
