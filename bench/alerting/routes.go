package main

import (
	"fmt"
	"strings"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
)

// The ways of a rule's alerts when there are routes, by its number modulo five. The
// alerts of a rule that causes inhibit those of the next on the same host.
const (
	wayCauses = iota
	wayInhibited
	wayMuted
	waySilenced
	wayGrouped // told together, in Alertmanager's form
	ways
)

// otherSilences are silences that mean nothing that fires.
const otherSilences = 1000

func groupName(group int) string { return fmt.Sprintf("g%05d", group) }

// host is the number of the group among those of its rule: an alert of each rule has it.
func (o *options) host(group int) int { return group % (o.groups / o.rules) }

// heldBack reports whether the alert of a group that falls is told to nobody.
func (o *options) heldBack(group int, f fall) bool {
	if !o.routes {
		return false
	}
	perRule := o.groups / o.rules
	switch group / perRule % ways {
	case wayMuted, waySilenced:
		return true
	case wayInhibited:
		for rule := wayCauses; rule < o.rules; rule += ways {
			if f.of(rule*perRule + o.host(group)) {
				return true
			}
		}
	}
	return false
}

// rulesOf returns a matcher of the rules that go a way.
func (o *options) rulesOf(way int) string {
	var list []string
	for i := way; i < o.rules; i += ways {
		list = append(list, fmt.Sprintf("r%d", i))
	}
	return fmt.Sprintf("'rule=~\"%s\"'", strings.Join(list, "|"))
}

// routing is the part of the rule file that says who is told.
func (o *options) routing(receivers int) string {
	var b strings.Builder
	b.WriteString("routes:\n")
	for i := range o.rules {
		fmt.Fprintf(&b, "  - {matchers: [rule=r%d], receiver: w%d", i, i%receivers)
		switch i % ways {
		case wayMuted:
			b.WriteString(", mute: [always, never]")
		case wayGrouped:
			b.WriteString(", group_by: [rule], group_interval: 10s")
		}
		b.WriteString("}\n")
	}
	b.WriteString("  - {receiver: after}\n")
	fmt.Fprintf(&b, "inhibit:\n  - {name: cause, source: [%s], target: [%s], equal: [host]}\n", o.rulesOf(wayCauses), o.rulesOf(wayInhibited))
	b.WriteString("  - {name: other, source: [rule=none], target: [severity=page], equal: [host]}\n")
	b.WriteString("mute:\n  - {name: always, intervals: [{times: [{start: '00:00', end: '24:00'}]}]}\n  - {name: never, intervals: [{years: ['2000']}]}\n")
	return b.String()
}

// silence makes the silences, over the API.
func (o *options) silence(url string) error {
	client := &fasthttp.Client{}
	put := func(matcher string) error {
		_, err := server.PostOK(client, url+"/api/v1/silences", fmt.Appendf(nil, `{"matchers":[%q],"endsAt":"now+1d","author":"bench","comment":"a storm"}`, matcher))
		return err
	}
	for i := waySilenced; i < o.rules; i += ways {
		if err := put(fmt.Sprintf("rule=r%d", i)); err != nil {
			return err
		}
	}
	for i := range otherSilences {
		matcher := fmt.Sprintf("host=none%d", i)
		if i%10 == 0 {
			matcher = fmt.Sprintf(`host=~"none%d.*"`, i)
		}
		if err := put(matcher); err != nil {
			return err
		}
	}
	return nil
}
