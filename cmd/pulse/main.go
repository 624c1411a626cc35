// Command pulse is the whole product in one binary: the telemetry server, and
// the tools that push to it, ask it and judge streams without it.
//
// Only this package knows the real clock, the real file system and the real
// network; everything below takes them as arguments.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // mutes and seasons have time zones on machines without a zone database, too

	"github.com/alecthomas/kong"
	"github.com/rs/zerolog"
)

func main() {
	zerolog.TimeFieldFormat = "2006-01-02T15:04:05.000Z07:00"
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// env is what a command may touch of the world outside.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// cli is the command line; each command's Run does its work.
type cli struct {
	Serve   serveCmd   `cmd:"" default:"withargs" help:"Run the server (the default command)."`
	Demo    demoCmd    `cmd:"" help:"Run a server with simulated applications, one outage, and a receiver that prints the page."`
	Replay  replayCmd  `cmd:"" help:"Push the rows of a timestamp,value file to a server, a step each."`
	Query   queryCmd   `cmd:"" help:"Evaluate an expression on a server."`
	Score   scoreCmd   `cmd:"" help:"Judge timestamp,value files with a detector, without a server."`
	Rules   rulesCmd   `cmd:"" help:"Work with rule files."`
	Routes  routesCmd  `cmd:"" help:"Ask where alerts go."`
	Store   storeCmd   `cmd:"" help:"Look into data folders."`
	Token   tokenCmd   `cmd:"" help:"Work with the tokens that let requests in."`
	Version versionCmd `cmd:"" help:"Print version, commit, Go release and build flags."`
}

// run holds the program, so that tests start all of it in-process. It returns
// the exit code: 0 for success and for an interrupted server, 1 for a failure,
// 2 for a command line that cannot be read.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("pulse"),
		kong.Description("Real-time telemetry and anomaly detection: push metrics over HTTP, ask in the Atlas Stack Language, be paged when a stream leaves its band."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }),
		kong.DefaultEnvars("PULSE"),
		kong.Configuration(loadConfig),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.ExplicitGroups([]kong.Group{{Key: "guard", Title: "Who may use the server:"}, {Key: "limits", Title: "Limits:"}}),
		kong.Vars{"detectors": detectorKinds()},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&env{stdin, stdout, stderr}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "BUG: command line:", err)
		return 1
	}
	command, err := parser.Parse(args)
	if exit >= 0 {
		return exit // --help has been printed
	}
	if err != nil {
		fmt.Fprintf(stderr, "pulse: %v\n", err)
		return 2
	}
	if err := command.Run(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(stderr, "pulse: %v\n", err)
		return 1
	}
	return 0
}
