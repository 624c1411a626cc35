package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// order is the house from cellar to roof. A package may import only what stands
// before it, so adding a package means finding its place.
var order = []string{
	"store/tags", "store/clock", "store/step", "store/match", "store/field", "store/disk", "store/disk/faulty",
	"store/norm", "store/block/lanes/genlanes", "store/block/lanes", "store/block", "store/index", "store/budget", "store/arena", "store/wal", "store/archive",
	"store",
	"query/when", "query/expr", "query/asl", "query", "query/stream",
	"ingest/publish", "ingest",
	"detect/duration", "detect/scalar", "detect/secret", "detect/algo", "detect/alert", "detect/label", "detect/route", "detect/text", "detect/silence", "detect/notify", "detect",
	"web/token", "web/render", "web/chart", "web/ui", "web",
	"cmd/pulse",
}

// cellar holds the packages that use the standard library only.
const cellar = 7

// leaves of bench may be used by tests anywhere and by the program's demo.
var leaves = []string{"bench/gen", "bench/testkit"}

// apart lists neighbours that must stay strangers.
var apart = [][2]string{{"ingest", "query"}, {"query", "ingest"}}

// alone lists modules with one door into the house.
var alone = map[string][]string{
	"github.com/valyala/fasthttp":      {"web", "bench/load"},
	"github.com/fsnotify/fsnotify":     {"cmd/pulse"},
	"go.etcd.io/bbolt":                 {"detect", "detect/notify", "detect/silence", "detect/alert", "cmd/pulse"},
	"github.com/mmcloughlin/avo/build": {"store/block/lanes/genlanes"},
	"golang.org/x/sys/cpu":             {"store/block/lanes"},
	"unsafe":                           {"store/block", "store/arena"},
}

// clockless are the calls that read or wait on the real clock.
var clockless = []string{"Now", "After", "Sleep", "NewTimer", "NewTicker", "Tick", "AfterFunc", "Since", "Until"}

func TestImportsPointDown(t *testing.T) {
	const root = "../.."
	files := token.NewFileSet()
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != root || d.Name() == "peers" || d.Name() == "testdata" || d.Name() == "node_modules") {
			if name != root {
				return filepath.SkipDir
			}
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(rel))
		seen[pkg] = true
		checkFile(t, pkg, filepath.ToSlash(rel), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range order {
		if !seen[pkg] {
			t.Errorf("%s stands in the order but not in the tree", pkg)
		}
	}
}

func checkFile(t *testing.T, pkg, name string, file *ast.File) {
	test := strings.HasSuffix(name, "_test.go")
	bench := pkg == "bench" || strings.HasPrefix(pkg, "bench/")
	rank := slices.Index(order, pkg)
	if rank < 0 && !bench {
		t.Errorf("%s: package %s has no place in the order", name, pkg)
		return
	}
	for _, spec := range file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		if doors, ok := alone[imported]; ok && !slices.Contains(doors, pkg) && !test && !bench {
			t.Errorf("%s: %s may be imported by %v only", name, imported, doors)
		}
		own, ok := strings.CutPrefix(imported, "pulse/")
		if !ok {
			if rank >= 0 && rank < cellar && !test && strings.Contains(strings.Split(imported, "/")[0], ".") {
				t.Errorf("%s: %s uses the standard library only, not %s", name, pkg, imported)
			}
			continue
		}
		if bench {
			continue
		}
		if slices.Contains(leaves, own) && (test || pkg == "cmd/pulse" && own == "bench/gen") {
			continue
		}
		if at := slices.Index(order, own); !test && (at < 0 || at >= rank) {
			t.Errorf("%s: %s may not import %s, which does not stand before it", name, pkg, own)
		}
		for _, a := range apart {
			if !test && within(pkg, a[0]) && within(own, a[1]) {
				t.Errorf("%s: %s and %s are strangers", name, a[0], a[1])
			}
		}
	}
	if rank >= 0 && rank < slices.Index(order, "web/render") && !test {
		checkClock(t, name, file)
	}
}

// checkClock finds uses of the real clock below web.
func checkClock(t *testing.T, name string, file *ast.File) {
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := call.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clockless, call.Sel.Name) {
			t.Errorf("%s: time.%s below web; take the time as an argument or a clock.Clock", name, call.Sel.Name)
		}
		return true
	})
}

func within(pkg, parent string) bool { return pkg == parent || strings.HasPrefix(pkg, parent+"/") }
