package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal opens a pseudo terminal: what is written to its screen comes out.
func terminal(t *testing.T, columns uint16) (screen *os.File, out *bufio.Scanner) {
	t.Helper()
	keeper, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { keeper.Close() })
	fd := int(keeper.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	if err == nil {
		screen, err = os.OpenFile(fmt.Sprint("/dev/pts/", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Skip(err)
	}
	return screen, bufio.NewScanner(keeper)
}

// A chart is as wide as the terminal it is drawn in, within bounds, whatever else is
// said of it but by the flag.
func TestChartInTerminal(t *testing.T) {
	t.Setenv("COLUMNS", "77")
	const points = `{"tags":{"name":"a"},"timestamps":[1700000010000,1700000020000],"values":[1,1]}`
	for _, c := range []struct {
		terminal uint16
		flags    []string
		want     int
	}{{64, nil, 64}, {133, nil, 133}, {10, nil, minColumns}, {0, nil, 77}, {64, []string{"--width", "90"}, 90}} {
		screen, out := terminal(t, c.terminal)
		code := make(chan int, 1)
		go func() {
			defer screen.Close()
			code <- run(context.Background(), append([]string{"query", "name,a,:eq", "--file", "-"}, c.flags...), strings.NewReader(points), screen, screen)
		}()
		widest := 0
		for out.Scan() {
			widest = max(widest, textColumns(strings.TrimRight(out.Text(), "\r")))
		}
		if got := <-code; got != 0 || widest != c.want {
			t.Errorf("a terminal of %d columns, %v: code %d, %d columns, want %d", c.terminal, c.flags, got, widest, c.want)
		}
	}
}
