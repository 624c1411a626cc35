package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version is the release; the build may set it with -ldflags "-X main.version=...".
var version = "0.1.0"

type versionCmd struct{}

// Run prints one line per fact, in a fixed order.
func (versionCmd) Run(e *env) error {
	commit, flags := "unknown", []string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value
			case strings.HasPrefix(s.Key, "-") || s.Key == "CGO_ENABLED" || s.Key == "GOAMD64":
				flags = append(flags, s.Key+"="+s.Value)
			}
		}
	}
	_, err := fmt.Fprintf(e.stdout, "pulse %s\ncommit %s\ngo %s %s/%s\nbuild %s\n",
		version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, strings.Join(flags, " "))
	return err
}
