package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
)

// lasting is for how many steps groups fall so that what fires can be asked for.
const lasting = 4

// alertOf is an alert as the API shows it.
type alertOf struct {
	Incident, Rule, State string
	EndsAt                *time.Time
	SilencedBy, MutedBy   []string
	InhibitedBy           []json.RawMessage
	Timeline              []struct{ Kind, Detail string }
}

// asked is how many timelines an audit reads: each is made from stored values.
const asked = 1000

// audit lets n groups fall for some steps and come back, and looks for the alerts of
// them: all are to be there, with their beginning and end, and the timelines of some,
// chosen at random, with what became of the first notification or what held it back.
func (w *watch) audit(ctx context.Context, t int64, n int) error {
	t, err := w.send(ctx, t, rested, order{})
	if err != nil {
		return err
	}
	began := t
	if t, err = w.send(ctx, t, lasting, order{every: w.groups / n}); err != nil {
		return err
	}
	client := &fasthttp.Client{ReadTimeout: time.Minute, MaxResponseBodySize: 1 << 30}
	get := func(path string, into any) error {
		status, body, err := client.Get(nil, w.server.URL+path)
		if err != nil || status != fasthttp.StatusOK {
			return fmt.Errorf("%s: status %d: %w", path, status, err)
		}
		return json.Unmarshal(body, into)
	}
	var list []alertOf
	if err := get("/api/v1/alerts?state=firing", &list); err != nil {
		return err
	}
	count := map[string]int{}
	for _, x := range list {
		for how, by := range map[string]int{"silenced": len(x.SilencedBy), "muted": len(x.MutedBy), "inhibited": len(x.InhibitedBy)} {
			if by > 0 {
				count[how]++
			}
		}
	}
	if _, err := w.send(ctx, t, minute, order{}); err != nil {
		return err
	}
	answer, err := server.PostOK(client, w.server.URL+"/api/v1/silences/preview", fmt.Appendf(nil, `{"matchers":["rule=~r.*"],"since":"%dms"}`, time.Now().UnixMilli()-began))
	if err != nil {
		return err
	}
	var preview struct {
		Past struct{ Count int }
	}
	if err := json.Unmarshal([]byte(answer), &preview); err != nil {
		return err
	}
	fmt.Fprintf(w.out, "audit: of %d that began in one step %d are listed while they fire (%d silenced, %d muted, %d inhibited), %d have ended\n",
		n, len(list), count["silenced"], count["muted"], count["inhibited"], preview.Past.Count)
	rand.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
	list = list[:min(len(list), asked)]
	for _, x := range list {
		var a alertOf
		if err := get("/api/v1/alerts/"+x.Incident, &a); err != nil {
			return err
		}
		count[fate(&a)]++
		if a.State == "resolved" && a.EndsAt != nil {
			count["ended"]++
		}
	}
	fmt.Fprintf(w.out, "       %d timelines: %d with the end; of the beginning %d were delivered, %d counted in a summary, %d held back, %d over before they were told, %d without a word\n",
		len(list), count["ended"], count["delivered"], count["counted"], count["held"], count["over"], count["nothing"])
	return nil
}

// fate is what a timeline says of the notification of the beginning.
func fate(a *alertOf) string {
	found := "nothing"
	for _, e := range a.Timeline {
		switch {
		case e.Kind == "silenced", e.Kind == "inhibited", e.Kind == "muted":
			found = "held"
		case e.Kind != "attempt" || !strings.HasPrefix(e.Detail, "alert.firing"):
		case strings.Contains(e.Detail, "accepted"):
			return "delivered"
		case strings.Contains(e.Detail, "counted in a summary"):
			return "counted"
		case strings.Contains(e.Detail, "dropped"):
			found = "over"
		}
	}
	return found
}
