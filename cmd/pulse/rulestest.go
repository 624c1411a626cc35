package main

import (
	"fmt"

	"pulse/detect"
)

type rulesTestCmd struct {
	Files []string `arg:"" name:"file" help:"YAML files of tests: rules, series that are sent, alerts that are expected."`
}

// Run runs every test of every file and prints those that fail; any makes the
// exit code 1.
func (c *rulesTestCmd) Run(e *env) error {
	failed, all := 0, 0
	for _, name := range c.Files {
		results, err := detect.TestRules(name)
		if err != nil {
			return err
		}
		bad := 0
		for _, r := range results {
			for _, f := range r.Faults {
				fmt.Fprintln(e.stdout, f)
			}
			if len(r.Faults) > 0 {
				bad++
			}
		}
		failed, all = failed+bad, all+len(results)
		if bad == 0 {
			fmt.Fprintf(e.stdout, "%s: %s, ok\n", name, count(len(results), "test"))
		} else {
			fmt.Fprintf(e.stdout, "%s: %s, %d failed\n", name, count(len(results), "test"), bad)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s failed", failed, count(all, "test"))
	}
	return nil
}
