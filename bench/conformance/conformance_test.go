package conformance

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestConformance runs every case and prints a count per area. The last line
// of its output is the sum.
func TestConformance(t *testing.T) {
	folder := os.Getenv("PULSE_CONFORMANCE")
	if folder == "" {
		t.Skip("PULSE_CONFORMANCE names no folder of test vectors")
	}
	if !filepath.IsAbs(folder) {
		folder = filepath.Join("..", "..", folder)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no case files in %s (%v)", folder, err)
	}
	var r report
	servers := newSites(t)
	for _, file := range files {
		cases, err := readCases(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			c.servers = servers
			var http error
			if overHTTP(c) {
				http = runCase(runOverHTTP, c)
			}
			r.add(c, runCase(kinds[c.Kind], c), http)
		}
	}
	for _, f := range r.failures {
		t.Error(f)
	}
	fmt.Println(r.String())
}

// runCase runs one case; a panic of the product is a failure of the case.
func runCase(run func(*testCase) error, c *testCase) (err error) {
	if run == nil {
		return fmt.Errorf("harness: unknown kind %q", c.Kind)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return run(c)
}

// kinds is every kind of case and what runs it.
var kinds = map[string]func(c *testCase) error{
	"tokenize":         tokenize,
	"strip-comments":   stripComments,
	"escape-roundtrip": escapeRoundtrip,
	"unescape":         unescape,
	"query-values":     queryValues,

	"run":    runProgram,
	"format": format,

	"matches":         matches,
	"could-match":     couldMatch,
	"matches-any":     matchesAny,
	"canonical-query": canonicalQuery,
	"simplify":        simplify,
	"cnf-list":        cnfList,
	"dnf-list":        dnfList,
	"expand-in":       expandIn,
	"exact-keys":      exactKeys,
	"query-label":     queryLabel,

	"eval":             evalSeries,
	"eval-values":      evalSeries,
	"eval-at":          evalAt,
	"eval-set":         evalSeries,
	"eval-percentiles": evalPercentiles,
	"error":            evalSeries,

	"equivalent":                 equivalent,
	"equivalent-after-expansion": equivalentAfterExpansion,
	"same-canonical-text":        sameCanonicalText,
	"canonical":                  canonical,
	"final-grouping":             finalGrouping,
	"normalize":                  normalize,

	"http": serveRequest,

	"sequence":  sequence,
	"construct": construct,
	"stats":     stats,
	"helper":    helper,

	"consolidate":         consolidate,
	"consolidate-aligned": consolidateAligned,
	"expand":              expandStep,
	"step-mismatch":       stepMismatch,

	"round":                   stepRound,
	"compute":                 stepCompute,
	"round-to-boundary":       stepBoundary,
	"first-primary-timestamp": stepFirstPrimary,

	"fetch": fetch,

	"bucket-index":   bucketIndex,
	"bucket-table":   bucketTable,
	"percentile-tag": percentileTag,

	"parse-duration":  parseDuration,
	"format-duration": formatDuration,
	"parse-date":      parseDate,
	"time-range":      timeRange,
	"is-relative":     isRelative,

	"rule":          rule,
	"decode":        decodeJSON,
	"decode-list":   decodeJSON,
	"decode-text":   decodeText,
	"decode-update": decodeUpdate,

	"settings":       settings,
	"legend":         legend,
	"legend-rewrite": legendRewrite,
	"substitute":     substitute,
	"per-offset":     perOffset,
	"simple-legend":  simpleLegend,
	"parse-color":    parseColor,
}

// unsayable is why a case is not run over HTTP as well: what it gives cannot be put
// into requests.
type unsayable string

func (u unsayable) Error() string { return "cannot be said over HTTP: " + string(u) }

// tally counts the verdicts on the cases of one area.
type tally struct{ passed, failed int }

// report collects verdicts.
type report struct {
	areas    map[string]*tally
	sum      tally
	http     int // cases that ran over HTTP
	failures []string
}

// add takes the verdict on a case. Where it ran over HTTP as well, both must
// be good.
func (r *report) add(c *testCase, err, http error) {
	if r.areas == nil {
		r.areas = map[string]*tally{}
	}
	area := r.areas[c.Area]
	if area == nil {
		area = &tally{}
		r.areas[c.Area] = area
	}
	u := unsayable("")
	if c.Kind == "http" || overHTTP(c) && !errors.As(http, &u) {
		r.http++
	} else {
		http = nil
	}
	if err != nil {
		r.fail(c, "", err)
	}
	if http != nil {
		r.fail(c, " over HTTP", http)
	}
	for _, t := range []*tally{area, &r.sum} {
		if err != nil || http != nil {
			t.failed++
		} else {
			t.passed++
		}
	}
}

func (r *report) fail(c *testCase, where string, err error) {
	r.failures = append(r.failures, fmt.Sprintf("%s (%s)%s\n%s\n%v", c.ID, c.Kind, where, c.describe(), err))
}

// String returns the lines to print.
func (r *report) String() string {
	var b strings.Builder
	for _, area := range slices.Sorted(maps.Keys(r.areas)) {
		t := r.areas[area]
		fmt.Fprintf(&b, "%-17s %3d passed, %d failed\n", area, t.passed, t.failed)
	}
	fmt.Fprintf(&b, "over HTTP: %d cases\n", r.http)
	fmt.Fprintf(&b, "conformance: %d passed, %d failed", r.sum.passed, r.sum.failed)
	return b.String()
}
