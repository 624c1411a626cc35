package server

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
)

// Main runs a program of bench until it is done or interrupted. What it reports
// goes to standard output and, unless file is "", to a new file. wrong is what is
// wrong with its options; nil: nothing. A failure ends the process with status 1.
func Main(name, file string, wrong error, run func(ctx context.Context, report io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := wrong
	if err == nil {
		err = report(file, func(out io.Writer) error { return run(ctx, out) })
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func report(file string, run func(out io.Writer) error) error {
	if file == "" {
		return run(os.Stdout)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return run(io.MultiWriter(os.Stdout, f))
}
