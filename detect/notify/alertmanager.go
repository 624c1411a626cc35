package notify

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"

	"pulse/detect/secret"
)

// KindAlertmanager posts alerts to an Alertmanager, `POST /api/v2/alerts`. There an
// alert is its labels, and ends by itself at endsAt.
const KindAlertmanager = "alertmanager"

// alertmanagerKeepsMs is for how long an alert that fires is said to last. Prometheus
// sends every minute and says four.
const alertmanagerKeepsMs = 4 * 60_000

const alertmanagerPath = "/api/v2/alerts"

func checkAlertmanager(r *Receiver) error {
	if err := needsURL(r); err != nil {
		return err
	}
	base, query, asked := strings.Cut(r.URL.Reveal(), "?")
	base = strings.TrimSuffix(strings.TrimRight(base, "/"), alertmanagerPath)
	if asked {
		base += "?" + query
	}
	r.URL = secret.NewURL(base).WithPath()
	return needsURL(r)
}

// postedAlert is one alert of the API.
type postedAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	EndsAt       string            `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

func alertmanagerPost(r *Receiver, b *bundle) (exchange, error) {
	list := make([]postedAlert, len(b.Alerts))
	for i := range b.Alerts {
		n := &b.Alerts[i]
		ends := b.Now + alertmanagerKeepsMs
		if n.over() {
			ends = min(n.EndsAt, b.Now)
		}
		list[i] = postedAlert{Labels: promLabels(n.set()), Annotations: promLabels(n.linked()), StartsAt: rfc3339(n.StartsAt),
			EndsAt: rfc3339(max(ends, n.StartsAt)), GeneratorURL: webLink(n.Graph)}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return exchange{}, err
	}
	header := http.Header{}
	r.authorize(header)
	base, query, asked := strings.Cut(r.URL.Reveal(), "?")
	url := base + alertmanagerPath
	if asked {
		url += "?" + query
	}
	return exchange{url: url, header: header, body: body}, nil
}

// linked returns the annotations and, unless the rule has one of that name, `link`: the
// alert's page. What Alertmanager takes has a field for the graph alone.
func (n *Notification) linked() map[string]string {
	link := webLink(n.Link)
	if _, has := n.Annotations["link"]; has || link == "" {
		return n.Annotations
	}
	out := map[string]string{"link": link}
	maps.Copy(out, n.Annotations)
	return out
}

// promLabels returns labels with names that every Prometheus takes: letters, digits and
// _, no digit first. When two become one, the last in order of the names stays.
func promLabels(labels map[string]string) map[string]string {
	out := make(map[string]string, len(labels))
	for _, p := range pairs(labels).SortedPairs() {
		name := strings.Map(func(c rune) rune {
			if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' {
				return c
			}
			return '_'
		}, p.Name)
		if name == "" || '0' <= name[0] && name[0] <= '9' {
			name = "_" + name
		}
		if p.Value != "" {
			out[name] = p.Value
		}
	}
	return out
}
