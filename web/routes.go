package web

import (
	"slices"
	"sort"
	"strings"

	"pulse/web/token"
)

// class says what a route does, which decides the rules a request must meet.
type class uint8

const (
	reads    class = iota // changes nothing
	watches               // the same, about the server itself or the page: answers before the data is there
	inspects              // watches at a price: refuses cross-site browser requests
	ingests               // takes datapoints: refuses cross-site browser requests
	changes               // changes rules, receivers and the like: JSON and same origin
)

// open is the scope of what needs no token. Each route names a scope; one
// without is a fault that a test finds.
const open token.Scope = 1 << 7

// route is one line of the table. A path segment in braces matches any text
// without a slash and is handed to the handler under its name.
type route struct {
	method  string
	path    string
	class   class
	scope   token.Scope // what a token must have, once there are tokens
	maxBody int         // bytes; 0 means the server's
	streams bool        // the answer has no end: the write deadline is set per flush
	handle  func(*Server, *request)
}

// noBody is the limit for routes that read none; some clients send a few bytes.
const noBody = 4 << 10

// importBody stands for the limit of imports, which may be above the server's.
const importBody = -1

// routes is every path that the server answers.
func routes() []route {
	return []route{
		{"POST", "/api/v1/publish", ingests, token.Ingest, 0, false, (*Server).publish},
		{"POST", "/api/v1/publish-fast", ingests, token.Ingest, 0, false, (*Server).publish},
		{"POST", "/api/v4/update", ingests, token.Ingest, 0, false, (*Server).update},
		{"POST", "/c/{name}", ingests, token.Ingest, noBody, false, (*Server).count},
		{"POST", "/g/{name}", ingests, token.Ingest, noBody, false, (*Server).gauge},
		{"POST", "/api/v1/import", ingests, token.Ingest, importBody, false, (*Server).importLines},

		{"GET", "/api/v1/graph", reads, token.Query, noBody, false, (*Server).graph},
		{"GET", "/api/v2/fetch", reads, token.Query, noBody, true, (*Server).fetch},
		{"GET", "/api/v1/tags", reads, token.Query, noBody, false, gated((*Server).tagKeys)},
		{"GET", "/api/v1/tags/{key}", reads, token.Query, noBody, false, gated((*Server).tagValues)},
		{"GET", "/api/v1/cardinality", reads, token.Query, noBody, false, gated((*Server).cardinality)},
		{"GET", "/api/v1/cardinality/{key}", reads, token.Query, noBody, false, gated((*Server).keyCardinality)},
		{"GET", "/api/v1/expr", reads, token.Query, noBody, false, gated((*Server).exprDebug)},
		{"GET", "/api/v1/expr/debug", reads, token.Query, noBody, false, gated((*Server).exprDebug)},
		{"GET", "/api/v1/expr/normalize", reads, token.Query, noBody, false, gated((*Server).exprNormalize)},
		{"GET", "/api/v1/expr/rewrite", reads, token.Query, noBody, false, gated((*Server).exprRewrite)},
		{"GET", "/api/v1/expr/complete", reads, token.Query, noBody, false, gated((*Server).exprComplete)},
		{"GET", "/api/v1/expr/queries", reads, token.Query, noBody, false, gated((*Server).exprQueries)},
		{"GET", "/api/v1/expr/strip", reads, token.Query, noBody, false, gated((*Server).exprStrip)},
		{"GET", "/api/v1/expr/words", reads, token.Query, noBody, false, gated((*Server).exprWords)},
		{"GET", "/api/v1/stream", reads, token.Query, noBody, true, (*Server).stream},

		{"GET", "/api/v1/rules", reads, token.Query, noBody, false, (*Server).rules},
		{"POST", "/api/v1/rules/check", changes, token.Query, 1 << 20, false, gated((*Server).checkRule)},
		{"GET", "/api/v1/rules/{id}", reads, token.Query, noBody, false, (*Server).rule},
		{"PUT", "/api/v1/rules/{id}", changes, token.Admin, 1 << 20, false, (*Server).putRule},
		{"DELETE", "/api/v1/rules/{id}", changes, token.Admin, noBody, false, (*Server).deleteRule},
		{"GET", "/api/v1/rules/{id}/band", reads, token.Query, noBody, false, gated((*Server).band)},
		{"GET", "/api/v1/rules/{id}/groups", reads, token.Query, noBody, false, (*Server).groups},
		{"GET", "/api/v1/rules/{id}/why", reads, token.Query, noBody, false, gated((*Server).why)},
		{"GET", "/api/v1/rules/{id}/contributors", reads, token.Query, noBody, false, gated((*Server).carried)},
		{"GET", "/api/v1/rules/{id}/stats", reads, token.Query, noBody, false, (*Server).ruleStats},
		{"GET", "/api/v1/owners", reads, token.Query, noBody, false, (*Server).owners},
		{"POST", "/api/v1/backtest", changes, token.Query, 1 << 20, false, (*Server).backtest},
		{"GET", "/api/v1/receivers", reads, token.Admin, noBody, false, (*Server).receivers},
		{"GET", "/api/v1/receivers/{name}", reads, token.Admin, noBody, false, (*Server).receiver},
		{"PUT", "/api/v1/receivers/{name}", changes, token.Admin, 64 << 10, false, (*Server).putReceiver},
		{"DELETE", "/api/v1/receivers/{name}", changes, token.Admin, noBody, false, (*Server).deleteReceiver},
		{"POST", "/api/v1/receivers/{name}/test", changes, token.Admin, noBody, false, (*Server).testReceiver},
		{"GET", "/api/v1/receivers/{name}/attempts", reads, token.Admin, noBody, false, (*Server).deliveryLog},
		{"GET", "/api/v1/receivers/{name}/dead", reads, token.Admin, noBody, false, (*Server).deadLetters},
		{"POST", "/api/v1/receivers/{name}/dead", changes, token.Admin, noBody, false, (*Server).resendDead},
		{"GET", "/api/v1/alerts", reads, token.Query, noBody, false, (*Server).alerts},
		{"GET", "/api/v1/alerts/changes", reads, token.Query, noBody, false, (*Server).alertChanges},
		{"GET", "/api/v1/alerts/{id}", reads, token.Query, noBody, false, gated((*Server).alert)},
		{"GET", "/api/v1/silences", reads, token.Query, noBody, false, (*Server).silences},
		{"GET", "/api/v1/silences/{id}", reads, token.Query, noBody, false, (*Server).silence},
		{"POST", "/api/v1/silences", changes, token.Admin, 64 << 10, false, (*Server).postSilence},
		{"PUT", "/api/v1/silences/{id}", changes, token.Admin, 64 << 10, false, (*Server).putSilence},
		{"DELETE", "/api/v1/silences/{id}", changes, token.Admin, noBody, false, (*Server).deleteSilence},
		{"POST", "/api/v1/silences/preview", changes, token.Query, 256 << 10, false, gated((*Server).previewSilence)},
		{"GET", "/api/v1/routes", reads, token.Query, noBody, false, (*Server).routeTree},
		{"PUT", "/api/v1/routes", changes, token.Admin, 1 << 20, false, (*Server).putRoutes},
		{"DELETE", "/api/v1/routes", changes, token.Admin, noBody, false, (*Server).deleteRoutes},
		{"POST", "/api/v1/routes/test", changes, token.Query, 512 << 10, false, (*Server).testRoutes},
		{"GET", "/api/v1/inhibit", reads, token.Query, noBody, false, (*Server).inhibitRules},
		{"GET", "/api/v1/inhibit/{name}", reads, token.Query, noBody, false, (*Server).inhibitRule},
		{"PUT", "/api/v1/inhibit/{name}", changes, token.Admin, 256 << 10, false, (*Server).putInhibitRule},
		{"DELETE", "/api/v1/inhibit/{name}", changes, token.Admin, noBody, false, (*Server).deleteInhibitRule},
		{"GET", "/api/v1/mute", reads, token.Query, noBody, false, (*Server).mutes},
		{"GET", "/api/v1/mute/{name}", reads, token.Query, noBody, false, (*Server).mute},
		{"PUT", "/api/v1/mute/{name}", changes, token.Admin, 256 << 10, false, (*Server).putMute},
		{"DELETE", "/api/v1/mute/{name}", changes, token.Admin, noBody, false, (*Server).deleteMute},
		{"GET", "/api/v2/alerts", reads, token.Query, noBody, false, (*Server).amAlerts},
		{"GET", "/api/v2/alerts/groups", reads, token.Query, noBody, false, (*Server).amGroups},
		{"GET", "/api/v2/receivers", reads, token.Query, noBody, false, (*Server).amReceivers},
		{"GET", "/api/v2/status", reads, token.Query, noBody, false, (*Server).amStatus},
		{"GET", "/api/v2/silences", reads, token.Query, noBody, false, (*Server).amSilences},
		{"POST", "/api/v2/silences", changes, token.Admin, 64 << 10, false, (*Server).amPostSilence},
		{"DELETE", "/api/v2/silence/{id}", changes, token.Admin, noBody, false, (*Server).amDeleteSilence},
		{"GET", "/api/v2/silence/{id}", reads, token.Query, noBody, false, (*Server).amSilence},
		{"GET", "/api/v1/export", reads, token.Admin, noBody, false, (*Server).export},
		{"POST", "/-/reload", changes, token.Admin, noBody, false, (*Server).reload},
		{"POST", "/-/backup", changes, token.Admin, noBody, false, (*Server).backup},

		{"GET", "/ok", watches, open, noBody, false, (*Server).ok},
		{"GET", "/healthcheck", watches, open, noBody, false, (*Server).ready},
		{"GET", "/ready", watches, open, noBody, false, (*Server).ready},
		{"GET", "/metrics", watches, token.Admin, noBody, false, (*Server).metrics},
		{"GET", "/api/v1/status", watches, token.Admin, noBody, false, (*Server).status},
		{"GET", "/debug/pprof/profile", inspects, token.Admin, noBody, false, (*Server).cpuProfile},
		{"GET", "/debug/pprof/heap", inspects, token.Admin, noBody, false, (*Server).profile},
		{"GET", "/debug/pprof/allocs", inspects, token.Admin, noBody, false, (*Server).profile},
		{"GET", "/debug/pprof/goroutine", inspects, token.Admin, noBody, false, (*Server).profile},
		{"GET", "/debug/pprof/threadcreate", inspects, token.Admin, noBody, false, (*Server).profile},
		{"GET", "/api/v1/queries", reads, token.Admin, noBody, false, (*Server).runningQueries},
		{"DELETE", "/api/v1/queries/{id}", changes, token.Admin, noBody, false, (*Server).cancelQuery},
		{"GET", "/api/v1/sources", reads, token.Query, noBody, false, (*Server).sources},

		{"GET", "/", watches, open, noBody, false, (*Server).page},
		{"GET", "/board", watches, open, noBody, false, (*Server).page},
		{"GET", "/alerts", watches, open, noBody, false, (*Server).page},
		{"GET", "/alerts/{id}", watches, open, noBody, false, (*Server).page},
		{"GET", "/silences", watches, open, noBody, false, (*Server).page},
		{"GET", "/rules", watches, open, noBody, false, (*Server).page},
		{"GET", "/rules/{id}", watches, open, noBody, false, (*Server).page},
		{"GET", "/data", watches, open, noBody, false, (*Server).page},
		{"GET", "/sources", watches, open, noBody, false, (*Server).page},
		{"GET", "/receivers", watches, open, noBody, false, (*Server).page},
		{"GET", "/receivers/{name}", watches, open, noBody, false, (*Server).page},
		{"GET", "/server", watches, open, noBody, false, (*Server).page},
		{"GET", "/ui/{file}", watches, open, noBody, false, (*Server).asset},
		{"GET", "/ui/editor/{file}", watches, open, noBody, false, (*Server).asset},
		{"GET", "/ui/pages/{file}", watches, open, noBody, false, (*Server).asset},
		{"GET", "/ui/vendor/{file}", watches, open, noBody, false, (*Server).asset},
	}
}

// routeTable finds the route of a request: exact paths by a map, the others by
// comparing segments.
type routeTable struct {
	exact    map[string]map[string]*route // path, method
	patterns []pattern
}

type pattern struct {
	segments []string
	methods  map[string]*route
}

func newRouteTable(list []route) *routeTable {
	t := &routeTable{exact: map[string]map[string]*route{}}
	byPath := map[string]map[string]*route{}
	for i := range list {
		r := &list[i]
		if byPath[r.path] == nil {
			byPath[r.path] = map[string]*route{}
			if strings.Contains(r.path, "{") {
				t.patterns = append(t.patterns, pattern{strings.Split(r.path, "/"), byPath[r.path]})
			} else {
				t.exact[r.path] = byPath[r.path]
			}
		}
		byPath[r.path][r.method] = r
	}
	return t
}

// oneSlashLess returns the path without a slash at its end where Atlas allows
// one: beneath what Atlas answers to GET, too.
func oneSlashLess(method, path string) string {
	if method != "GET" && method != "HEAD" {
		return path
	}
	for _, atlas := range [...]string{"/api/v1/graph/", "/api/v1/tags/", "/api/v1/expr/", "/api/v2/fetch/"} {
		if strings.HasPrefix(path, atlas) {
			return strings.TrimSuffix(path, "/")
		}
	}
	return path
}

// find returns the route with the values of its braces, or nil with the
// methods that the path has, which are none when the path is unknown. HEAD is
// served by GET. A path without braces may be a name in those of another, for other
// methods: `rules/check` is checked by POST, and a rule by GET.
func (t *routeTable) find(method, path string) (*route, map[string]string, string) {
	path = oneSlashLess(method, path)
	if method == "HEAD" {
		method = "GET"
	}
	if r := t.exact[path][method]; r != nil {
		return r, nil, ""
	}
	methods, vars := t.match(path)
	if r := methods[method]; r != nil {
		return r, vars, ""
	}
	allowed := make([]string, 0, len(methods))
	for _, list := range []map[string]*route{t.exact[path], methods} {
		for m := range list {
			allowed = append(allowed, m)
		}
	}
	sort.Strings(allowed)
	return nil, nil, strings.Join(slices.Compact(allowed), ", ")
}

func (t *routeTable) match(path string) (map[string]*route, map[string]string) {
	segments := strings.Split(path, "/")
next:
	for _, p := range t.patterns {
		if len(p.segments) != len(segments) {
			continue
		}
		vars := map[string]string{}
		for i, want := range p.segments {
			switch {
			case strings.HasPrefix(want, "{") && segments[i] != "":
				vars[want[1:len(want)-1]] = segments[i]
			case want != segments[i]:
				continue next
			}
		}
		return p.methods, vars
	}
	return nil, nil
}
