package web

import (
	"encoding/json"
	"errors"
	"strconv"

	"pulse/query/asl"
	"pulse/web/render"
)

// interpreter returns the words of the vocabulary that the request names, and
// what its program shall leave.
func (s *Server) interpreter(r *request) (*asl.Interpreter, asl.Want, error) {
	in, want, err := vocabulary(r)
	if err == nil && !r.has("q") {
		err = badRequest("missing required parameter 'q'")
	}
	return in, want, err
}

// vocabulary is that of graphs unless the request names one.
func vocabulary(r *request) (*asl.Interpreter, asl.Want, error) {
	name := r.param("vocab")
	if name == "all" {
		name = ""
	}
	words, want, ok := asl.ByName(name)
	if !ok {
		return nil, 0, badRequest("parameter vocab is " + strconv.Quote(clip(name, 40)) + ", must be std, query, data, math, stateful, filter, style or custom")
	}
	return asl.New(words, asl.Limits{}), want, nil
}

// exprDebug shows the stack before and after each word; with typed=1 of a program
// that may still be written.
func (s *Server) exprDebug(r *request) {
	if r.flag("typed") {
		s.exprTrace(r)
		return
	}
	in, want, err := s.interpreter(r)
	if err != nil {
		r.fail(err)
		return
	}
	steps, err := in.Debug(r.param("q"), want, anyWord())
	if err != nil {
		r.fail(err)
		return
	}
	type state struct {
		Stack     []string          `json:"stack"`
		Variables map[string]string `json:"variables"`
	}
	type stepAnswer struct {
		Program []string `json:"program"`
		Context state    `json:"context"`
	}
	out := make([]stepAnswer, len(steps))
	for i, x := range steps {
		out[i] = stepAnswer{orEmpty(x.Program), state{orEmpty(x.Stack), x.Variables}}
		if x.Variables == nil {
			out[i].Context.Variables = map[string]string{}
		}
	}
	r.json(out)
}

// exprTrace shows what each token of a program has left, as far as it runs, and
// why not further.
func (s *Server) exprTrace(r *request) {
	in, err := s.typing(r)
	if err != nil {
		r.fail(err)
		return
	}
	steps, err := in.Trace(r.param("q"), exprOptions(r))
	type itemAnswer struct {
		Kind string `json:"kind"`
		Text string `json:"text"`
		New  bool   `json:"new,omitempty"`
	}
	type stepAnswer struct {
		Offset    int               `json:"offset"`
		End       int               `json:"end"`
		Stack     []itemAnswer      `json:"stack"`
		Variables map[string]string `json:"variables,omitempty"`
	}
	out := struct {
		Steps []stepAnswer    `json:"steps"`
		Error json.RawMessage `json:"error,omitempty"`
	}{Steps: make([]stepAnswer, len(steps))}
	for i, x := range steps {
		stack := make([]itemAnswer, len(x.Stack))
		for j, item := range x.Stack {
			stack[j] = itemAnswer(item)
		}
		out.Steps[i] = stepAnswer{x.Offset, x.End, stack, x.Variables}
	}
	if e := (*asl.Error)(nil); errors.As(err, &e) {
		out.Error = render.AppendProgramError(nil, e)
	} else if err != nil {
		r.fail(err)
		return
	}
	r.json(out)
}

// typing is the interpreter for what is being written: that of graphs, which has
// the words of this server too, unless the request names a vocabulary.
func (s *Server) typing(r *request) (*asl.Interpreter, error) {
	if !r.has("vocab") {
		return s.opts.Query.Interpreter(), nil
	}
	in, _, err := vocabulary(r)
	return in, err
}

// exprWords lists the whole vocabulary.
func (s *Server) exprWords(r *request) {
	in, err := s.typing(r)
	if err != nil {
		r.fail(err)
		return
	}
	r.json(appendWords([]candidate{}, in.Vocabulary(), ""))
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func exprOptions(r *request) asl.Options {
	return asl.Options{Unstable: r.param("features") == "unstable"}
}

// anyWord runs a program that is only looked at, not drawn: as in Atlas, unstable
// words need no parameter.
func anyWord() asl.Options { return asl.Options{Unstable: true} }

func (s *Server) exprNormalize(r *request) { s.exprList(r, (*asl.Interpreter).Normalize, anyWord()) }

func (s *Server) exprRewrite(r *request) { s.exprList(r, (*asl.Interpreter).Rewrite, anyWord()) }

func (s *Server) exprQueries(r *request) { s.exprList(r, (*asl.Interpreter).Queries, anyWord()) }

// exprStrip removes keys, and words of the vocabularies named by r.
func (s *Server) exprStrip(r *request) {
	s.exprList(r, func(in *asl.Interpreter, program string, o asl.Options) ([]string, error) {
		return in.Strip(program, r.params("k"), r.params("r"), o)
	}, exprOptions(r))
}

// exprList answers with the strings that f makes of the program.
func (s *Server) exprList(r *request, f func(*asl.Interpreter, string, asl.Options) ([]string, error), o asl.Options) {
	in, _, err := s.interpreter(r)
	if err != nil {
		r.fail(err)
		return
	}
	list, err := f(in, r.param("q"), o)
	if err != nil {
		r.fail(err)
		return
	}
	r.body("application/json", render.AppendStrings(nil, list))
	compress(r.ctx)
}
