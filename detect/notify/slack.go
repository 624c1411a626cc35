package notify

import (
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"pulse/detect/text"
)

// KindSlack posts to an incoming webhook of Slack, or of a server that speaks like it.
const KindSlack = "slack"

// Limits of messages, in characters unless said.
const (
	slackTitle   = 300 // own; a line on a phone's lock screen is shorter
	slackSection = 3000
	slackField   = 2000
	slackFields  = 10 // fields of a section
	slackMost    = 50 // blocks of a message

	slackBlocksOfAlert = 4 // own; a line with the graph comes after them
)

func checkSlack(r *Receiver) error {
	r.tellPeople()
	return needsURL(r)
}

type slackBody struct {
	Text        string            `json:"text"`
	Attachments []slackAttachment `json:"attachments,omitempty"`
}

type slackAttachment struct {
	Color    string       `json:"color"`
	Fallback string       `json:"fallback"`
	Blocks   []slackBlock `json:"blocks"`
}

type slackBlock struct {
	Type     string      `json:"type"`
	Text     *slackText  `json:"text,omitempty"`
	Fields   []slackText `json:"fields,omitempty"`
	Elements []slackText `json:"elements,omitempty"`
}

type slackText struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

func mrkdwn(s string) *slackText { return &slackText{"mrkdwn", s} }

// slackMessage is a line with the title and an attachment for each alert.
func slackMessage(r *Receiver, b *bundle) (exchange, error) {
	p := newPage(r, b, slackTitle)
	title := slackEscape(p.Title, 4*slackTitle)
	if p.Link != "" {
		title = slackLink(p.Link, title)
	}
	out := slackBody{Text: title}
	if p.Text != "" {
		out.Attachments = []slackAttachment{{slackColor(p.Tone), p.Title, []slackBlock{{Type: "section", Text: mrkdwn(text.Clip(p.Text, slackSection))}}}}
		p.Parts = nil
	}
	room := slackMost - 1 // the last says how many more there are
	for i := range p.Parts {
		blocks := slackBlocks(&p.Parts[i])
		if room -= len(blocks); room < 0 {
			p.More += len(p.Parts) - i
			break
		}
		if len(blocks) > 0 {
			out.Attachments = append(out.Attachments, slackAttachment{slackColor(p.Parts[i].Tone), p.Title, blocks})
		}
	}
	if p.More > 0 {
		out.Attachments = append(out.Attachments, slackAttachment{slackColor(toneInfo), p.Title, []slackBlock{{Type: "context", Elements: []slackText{*mrkdwn(more(p.More))}}}})
	}
	body, err := json.Marshal(out)
	return exchange{url: r.URL.Reveal(), header: http.Header{}, body: body, read: readSlack}, err
}

func slackBlocks(p *part) (out []slackBlock) {
	head := slackEscape(p.Head, slackTitle)
	if linked := slackLink(p.Link, head); head != "" && p.Link != "" && utf8.RuneCountInString(linked) < slackSection*3/4 {
		head = linked
	}
	if said := strings.TrimSpace(head + "\n" + slackEscape(p.Body, slackSection-1-utf8.RuneCountInString(head))); said != "" {
		out = append(out, slackBlock{Type: "section", Text: mrkdwn(said)})
	}
	for facts := p.Facts; len(facts) > 0 && len(out) < slackBlocksOfAlert; {
		block := slackBlock{Type: "section"}
		n := min(len(facts), slackFields)
		for _, f := range facts[:n] {
			block.Fields = append(block.Fields, *mrkdwn("*" + slackEscape(f.Name, 100) + "*\n" + slackEscape(f.Value, slackField-103)))
		}
		out = append(out, block)
		facts = facts[n:]
	}
	if linked := slackLink(p.Graph, "Graph"); p.Graph != "" && utf8.RuneCountInString(linked) < slackField {
		out = append(out, slackBlock{Type: "context", Elements: []slackText{*mrkdwn(linked)}})
	}
	return out
}

// slackEscape writes text for mrkdwn with at most n characters.
func slackEscape(s string, n int) string {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	for limit := n; ; limit = limit * 3 / 4 {
		if out := escape.Replace(text.Clip(s, limit)); utf8.RuneCountInString(out) <= n {
			return out
		}
	}
}

func slackLink(url, escaped string) string {
	return "<" + strings.NewReplacer("&", "&amp;", "<", "%3C", ">", "%3E", "|", "%7C").Replace(url) + "|" + strings.ReplaceAll(escaped, "|", "¦") + ">"
}

func slackColor(t tone) string {
	switch t {
	case toneCritical:
		return "#c62828"
	case toneError:
		return "#e64a19"
	case toneWarning:
		return "#f9a825"
	case toneGood:
		return "#2e7d32"
	case toneUnknown:
		return "#757575"
	}
	return "#1565c0"
}

// slackWords are what Slack says is wrong, which is all of an answer that is shown.
var slackWords = []string{
	"invalid_payload", "invalid_blocks", "invalid_attachments", "no_text", "too_many_attachments", "action_prohibited", "channel_not_found",
	"channel_is_archived", "no_service", "no_active_hooks", "no_team", "team_disabled", "user_not_found", "posting_to_general_channel_denied", "rollup_error", "invalid_token",
}

// readSlack reads an answer: 200 with `ok`. Anything else with 200 is not Slack's and
// may pass, such as the page of a proxy.
func readSlack(status int, body []byte) (verdict, string) {
	said := strings.TrimSpace(string(body))
	v := judge(status)
	if v == accepted {
		var answer struct {
			OK, Success *bool
		}
		if said == "" || said == "ok" {
			return accepted, ""
		}
		if json.Unmarshal(body, &answer) == nil && (answer.OK != nil && *answer.OK || answer.Success != nil && *answer.Success) {
			return accepted, ""
		}
		return retry, "the answer is not Slack's ok"
	}
	for _, word := range slackWords {
		if said == word {
			return v, word
		}
	}
	return v, ""
}
