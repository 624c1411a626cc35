package notify

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"pulse/detect/text"
)

// KindTeams posts an Adaptive Card to a workflow of Microsoft Teams.
const KindTeams = "teams"

// Limits of a message.
const (
	teamsBytes = 28_000
	teamsTitle = 300    // characters; own
	teamsText  = 10_000 // characters of a text; own
)

func checkTeams(r *Receiver) error {
	r.tellPeople()
	return needsURL(r)
}

type teamsBody struct {
	Type        string            `json:"type"`
	Attachments []teamsAttachment `json:"attachments"`
}

type teamsAttachment struct {
	ContentType string    `json:"contentType"`
	ContentURL  *string   `json:"contentUrl"`
	Content     teamsCard `json:"content"`
}

type teamsCard struct {
	Schema  string         `json:"$schema"`
	Type    string         `json:"type"`
	Version string         `json:"version"`
	Body    []teamsElement `json:"body"`
	Actions []teamsAction  `json:"actions,omitempty"`
	MSTeams struct {
		Width string `json:"width"`
	} `json:"msteams"`
}

// teamsElement is a TextBlock or a FactSet.
type teamsElement struct {
	Type      string      `json:"type"`
	Text      string      `json:"text,omitempty"`
	Weight    string      `json:"weight,omitempty"`
	Size      string      `json:"size,omitempty"`
	Color     string      `json:"color,omitempty"`
	Wrap      bool        `json:"wrap,omitempty"`
	Separator bool        `json:"separator,omitempty"`
	Facts     []teamsFact `json:"facts,omitempty"`
}

type teamsFact struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

type teamsAction struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// teamsMessage renders the card with as many alerts, and then with as much text, as
// there is room for.
func teamsMessage(r *Receiver, b *bundle) (exchange, error) {
	p := newPage(r, b, teamsTitle)
	longest := teamsText
	for {
		body, err := teamsCardOf(&p, longest)
		if err != nil || len(body) <= teamsBytes {
			return exchange{url: r.URL.Reveal(), header: http.Header{}, body: body, read: readTeams}, err
		}
		if n := len(p.Parts); n > 1 && p.Text == "" {
			p.More += n - n/2
			p.Parts = p.Parts[:n/2]
		} else {
			longest /= 2
		}
	}
}

// teamsCardOf writes a page with no text longer than `longest` characters; none at
// all leaves the title.
func teamsCardOf(p *page, longest int) ([]byte, error) {
	card := teamsCard{Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4"}
	card.MSTeams.Width = "Full"
	card.Body = []teamsElement{{Type: "TextBlock", Text: teamsEscape(p.Title), Weight: "Bolder", Size: "Large", Color: teamsColor(p.Tone), Wrap: true}}
	if p.Text != "" && longest > 0 {
		card.Body = append(card.Body, teamsElement{Type: "TextBlock", Text: text.Clip(p.Text, longest), Wrap: true})
	} else if longest > 0 {
		for i := range p.Parts {
			card.Body = append(card.Body, teamsElements(&p.Parts[i], longest)...)
		}
	}
	if p.More > 0 {
		card.Body = append(card.Body, teamsElement{Type: "TextBlock", Text: more(p.More), Wrap: true, Separator: true})
	}
	if p.Link != "" {
		card.Actions = append(card.Actions, teamsAction{"Action.OpenUrl", "What happened", p.Link})
	}
	if p.Graph != "" {
		card.Actions = append(card.Actions, teamsAction{"Action.OpenUrl", "Graph", p.Graph})
	}
	return json.Marshal(teamsBody{Type: "message", Attachments: []teamsAttachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: card}}})
}

func teamsElements(p *part, longest int) (out []teamsElement) {
	if p.Head != "" {
		out = append(out, teamsElement{Type: "TextBlock", Text: teamsEscape(text.Clip(p.Head, min(longest, teamsTitle))), Weight: "Bolder", Color: teamsColor(p.Tone), Wrap: true, Separator: true})
	}
	if p.Body != "" {
		out = append(out, teamsElement{Type: "TextBlock", Text: strings.ReplaceAll(teamsEscape(text.Clip(p.Body, longest)), "\n", "\n\n"), Wrap: true})
	}
	if len(p.Facts) > 0 {
		e := teamsElement{Type: "FactSet"}
		for _, f := range p.Facts {
			e.Facts = append(e.Facts, teamsFact{teamsEscape(text.Clip(f.Name, min(longest, 100))), teamsEscape(text.Clip(f.Value, min(longest, 500)))})
		}
		out = append(out, e)
	}
	return out
}

// teamsEscape keeps Markdown from what is none: tags have underscores.
func teamsEscape(s string) string {
	var w strings.Builder
	for _, c := range s {
		if strings.ContainsRune("\\*_[]`", c) {
			w.WriteByte('\\')
		}
		w.WriteRune(c)
	}
	return w.String()
}

func teamsColor(t tone) string {
	switch t {
	case toneCritical, toneError:
		return "Attention"
	case toneWarning:
		return "Warning"
	case toneGood:
		return "Good"
	}
	return "Accent"
}

// readTeams reads an answer: 2xx, save that the older connectors say in the body of a
// 200 that it came to nothing.
func readTeams(status int, body []byte) (verdict, string) {
	v := judge(status)
	if v == accepted && bytes.Contains(body, []byte("Webhook message delivery failed")) {
		return retry, "Teams says that delivery failed"
	}
	return v, ""
}
