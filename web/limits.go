package web

import (
	"maps"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/store/match"
)

// limit is one bound on what clients may do.
type limit struct {
	Limit int64  `json:"limit"`
	Used  *int64 `json:"used,omitempty"` // absent for what one request or line may have; of values, that of the key with most
}

// limits are all bounds, by what they count, with what is used of them now.
func (s *Server) limits() map[string]limit {
	out := s.sharedLimits()
	maps.Copy(out, s.requestLimits())
	maps.Copy(out, s.queryLimits())
	return out
}

func shared(most, used int) limit {
	n := int64(used)
	return limit{int64(most), &n}
}

func each(most int) limit { return limit{Limit: int64(most)} }

// sharedLimits are what the server has of series, connections, rules and the like.
func (s *Server) sharedLimits() map[string]limit {
	o, in, st := s.opts.Store.Options(), s.opts.Pipeline.Limits(), s.opts.Store.Stats()
	routes, inhibit, mutes := s.opts.Detect.CountRouting()
	return map[string]limit{
		"series":                shared(o.MaxSeries, st.Active),
		"keys":                  shared(o.MaxKeys, st.Keys),
		"pairs":                 shared(o.MaxPairs, st.Pairs),
		"sources":               shared(o.MaxSources, st.Sources),
		"valuesPerKey":          shared(o.MaxValuesPerKey, st.Values),
		"newSeriesPerSecond":    each(int(o.NewSeriesRate)),
		"newSeriesBurst":        shared(int(o.NewSeriesBurst), st.NewSeries),
		"idempotencyKeys":       shared(in.Keys, s.opts.Pipeline.Stats().Keys),
		"connections":           shared(s.opts.MaxConns, int(s.http.GetOpenConnectionsCount())),
		"connectionsPerAddress": each(s.opts.MaxConnsPerAddr),
		"queries":               shared(s.opts.Queries, s.gate.running()),
		"queriesWaiting":        shared(s.opts.QueryQueue, int(s.gate.waiting.Load())),
		"backtests":             shared(cap(s.trials.slots), s.trials.running()),
		"eventStreams":          shared(s.opts.Streams, int(s.open.Load())),
		"rules":                 shared(detect.MaxRules, s.opts.Detect.Stats().Rules),
		"groupsPerRule":         each(s.opts.Detect.MaxGroups()),
		"alertsPerRule":         each(detect.MaxAlertsPerRule),
		"silences":              shared(detect.MaxSilences, s.opts.Detect.OpenSilences(s.nowMs())),
		"routes":                shared(detect.MaxRoutes, routes),
		"inhibitRules":          shared(detect.MaxInhibitRules, inhibit),
		"mutes":                 shared(detect.MaxMutes, mutes),
		"receivers":             shared(notify.MaxReceivers, len(s.opts.Notify.Stats().Receivers)),
	}
}

// requestLimits are what one request that brings something may have.
func (s *Server) requestLimits() map[string]limit {
	in := s.opts.Pipeline.Limits()
	return map[string]limit{
		"headerBytes":        each(s.opts.MaxHeader),
		"headers":            each(maxHeaders),
		"headerTimeoutMs":    each(int(s.opts.HeaderTimeout.Milliseconds())),
		"requestTimeoutMs":   each(int(s.opts.RequestTimeout.Milliseconds())),
		"writeTimeoutMs":     each(int(s.opts.WriteTimeout.Milliseconds())),
		"idleTimeoutMs":      each(int(s.opts.IdleTimeout.Milliseconds())),
		"bodyBytes":          each(s.opts.MaxBody),
		"importBodyBytes":    each(s.opts.MaxImportBody),
		"bodiesBytes":        shared(int(s.bodies.budget.Limit()), int(s.bodies.budget.Used())),
		"expandedBytes":      each(in.Body),
		"expandedAtOnce":     each(in.Expansions),
		"nesting":            each(in.Depth),
		"pointsPerBody":      each(in.Points),
		"pointsPerImport":    each(in.LinePoints),
		"importsAtOnce":      each(in.Imports),
		"tagsPerSeries":      each(in.Tags),
		"messagesPerAnswer":  each(in.Messages),
		"backlogSteps":       each(maxBacklog),
		"unknownTokensBurst": each(int(s.failures.burst)),
	}
}

// queryLimits are what one expression, query or back-test may have.
func (s *Server) queryLimits() map[string]limit {
	q, words := s.opts.Query.Limits(), s.opts.Query.Interpreter().Limits()
	return map[string]limit{
		"expressionBytes":   each(words.Bytes),
		"expressionWords":   each(words.Words),
		"expressionStack":   each(words.Stack),
		"expressionDepth":   each(words.Depth),
		"expressionNodes":   each(words.Nodes),
		"patternBytes":      each(match.MaxPattern),
		"patternSteps":      each(match.MaxInstructions),
		"lines":             each(q.Lines),
		"datapointsPerLine": each(q.DatapointsPerLine),
		"datapointsRead":    each(int(q.DatapointsRead)),
		"queryTimeMs":       each(int(min(q.Time, s.opts.QueryTimeout).Milliseconds())),
		"queryBytes":        each(int(q.MemoryBytes)),
		"answerBytes":       each(s.opts.MaxAnswer),
		"backtestTimeMs":    each(int(s.opts.BacktestTimeout.Milliseconds())),
		"backtestGroups":    each(detect.MaxBacktestGroups),
		"backtestVerdicts":  each(detect.MaxBacktestVerdicts),
	}
}
