package main

import (
	"fmt"
	"os"

	"pulse/detect"
)

type rulesCmd struct {
	Check rulesCheckCmd `cmd:"" help:"Read rule files and report every fault, with file, line and rule."`
}

type rulesCheckCmd struct {
	Files []string `arg:"" name:"file" help:"YAML files with rules and receivers." type:"existingfile"`
	Step  span     `help:"Primary step of the server that will run them." default:"10s" placeholder:"D"`
}

// Run prints one line per file; a fault in any of them makes the exit code 1.
func (c *rulesCheckCmd) Run(e *env) error {
	bad := 0
	for _, name := range c.Files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		file, err := detect.ParseRulesYAML(text)
		var faults []error
		if err != nil {
			faults = []error{err}
		} else {
			faults = file.Check(c.Step.ms())
		}
		for _, f := range faults {
			fmt.Fprintf(e.stdout, "%s: %v\n", name, f)
		}
		if len(faults) > 0 {
			bad++
			continue
		}
		fmt.Fprintf(e.stdout, "%s: %d rules, %d receivers, no fault\n", name, len(file.Rules), len(file.Receivers))
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d files have faults", bad, len(c.Files))
	}
	return nil
}
