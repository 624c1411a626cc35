package asl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pulse/query/expr"
)

// StyleWords returns the words that say how lines are shown.
func StyleWords() Vocabulary {
	v := Vocabulary{
		settingWord("legend", "Text of the legend. `$name` and `$(name)` stand for the tags of the line.",
			[]string{"name,sps,:eq,(,name,),:by,$name", "name,sps,:eq,:sum,1w,:offset,$(name) $(atlas.offset)"}, nil),
		styleWord("decode", "TimeSeries mode:String -- Style",
			"Decodes the legend: `hex` turns `_21` into `!`, `none` changes nothing.",
			[]string{"1,one_21_25,:legend,hex", "ERROR:1,a,:legend,rot13"}, []func(any) bool{IsString},
			func(s *expr.Style, args []any) (*expr.Style, error) {
				command, err := expr.Decoding(args[0].(string))
				if err != nil {
					return nil, err
				}
				return s.WithCommand(command)
			}),
		styleWord("s", "TimeSeries search:String replace:String -- Style",
			"Searches the legend for a regular expression and replaces every match; `$1` and `$name` are its groups. "+
				"A legend has at most 1024 bytes and 20 such words.",
			[]string{"name,sps,:eq,$name,:legend,^n-(.*)$,$1", "1,nccp-,_", "ERROR:1,(?=a),b"}, []func(any) bool{IsString, IsString},
			func(s *expr.Style, args []any) (*expr.Style, error) {
				command, err := expr.SearchReplace(args[0].(string), args[1].(string))
				if err != nil {
					return nil, err
				}
				return s.WithCommand(command)
			}),
		settingWord("axis", "Number of the Y axis, 0 to 4.", []string{"name,sps,:eq,:sum,1", "ERROR:1,5"}, within(0, 4)),
		styleWord("offset", "TimeSeries durations:List -- Style",
			"Shows the line once for each shift. `duration,:offset` is the better choice for a single one.",
			[]string{"name,sps,:eq,:sum,(,0h,1d,1w,)"}, []func(any) bool{IsStringList},
			func(s *expr.Style, args []any) (*expr.Style, error) { return s.WithOffsets(listArg(args[0])), nil }),
		styledFilterWord(),
		settingWord("sort", "Order of the lines: "+strings.Join(expr.SortModes(), ", ")+".", []string{"1,max"}, nil),
		settingWord("order", "Direction of the order: asc or desc.", []string{"1,desc"}, nil),
		settingWord("limit", "Number of lines shown after sorting.", []string{"1,2", "ERROR:1,a"}, within(0, 1<<31-1)),
		aliasWord("head", "limit", settingWord("limit", "", []string{"name,sps,:eq,(,nf.cluster,),:by,2"}, within(0, 1<<31-1))),
	}
	v = append(v, colourWords()...)
	v = append(v, lineWords()...)
	return append(v,
		styleWord("percentiles-heatmap", "TimeSeries -- Style", "Groups by `percentile` and draws a heat map.",
			[]string{"name,requestLatency,:eq"}, nil,
			func(s *expr.Style, _ []any) (*expr.Style, error) {
				t, err := expr.CommonBy(s.Expr, []string{"percentile"})
				if err != nil {
					return nil, err
				}
				return s.WithExpr(t).With("ls", "heatmap"), nil
			}),
		Word{
			Name: "strip-style", Signature: "Style -- TimeSeries", Doc: "Removes all settings.",
			Examples: []string{"name,sps,:eq,a,:legend"}, Match: Args(IsStyle),
			Run: func(c *Context) error {
				c.Push(c.PopStyle().Expr)
				return nil
			},
		},
		epicVizWord())
}

// lineWords say how a line is drawn.
func lineWords() Vocabulary {
	v := Vocabulary{
		styleWord("ls", "TimeSeries ls:String -- Style", "Style of the line: "+strings.Join(expr.LineStyles(), ", ")+", in capitals or not.",
			[]string{"name,sps,:eq,:sum,area", "1,STACK", "ERROR:1,dots"}, []func(any) bool{IsString},
			func(s *expr.Style, args []any) (*expr.Style, error) {
				ls := strings.ToLower(args[0].(string))
				if !slices.Contains(expr.LineStyles(), ls) {
					return nil, fmt.Errorf("invalid ls '%s': must be one of %s", args[0], strings.Join(expr.LineStyles(), ", "))
				}
				return s.With("ls", ls), nil
			}),
		settingWord("lw", "Width of the line in pixels.", []string{"name,sps,:eq,:sum,2", "1,1.5", "ERROR:1,a"}, widthOfLine),
	}
	for _, ls := range expr.LineStyles() {
		v = append(v, styleWord(ls, "TimeSeries -- Style", "Shorthand for `"+ls+",:ls`.", []string{"name,sps,:eq,:sum"}, nil,
			func(s *expr.Style, _ []any) (*expr.Style, error) { return s.With("ls", ls), nil }))
	}
	return v
}

// styleWord is a word that changes the settings of an expression.
func styleWord(name, signature, doc string, examples []string, args []func(any) bool,
	f func(s *expr.Style, args []any) (*expr.Style, error)) Word {
	tests := append([]func(any) bool{IsStyle}, args...)
	return Word{
		Name: name, Signature: signature, Doc: doc, Examples: examples, Match: Args(tests...),
		Run: func(c *Context) error {
			values := make([]any, len(args))
			for i := len(args) - 1; i >= 0; i-- {
				values[i] = c.Pop()
			}
			s, err := f(c.PopStyle(), values)
			if err != nil {
				return errArgument("%v", err)
			}
			c.Push(s)
			return nil
		},
	}
}

// settingWord stores its argument as the setting of its name.
func settingWord(name, doc string, examples []string, check func(v string) error) Word {
	return styleWord(name, "TimeSeries "+name+":String -- Style", doc, examples, []func(any) bool{IsString},
		func(s *expr.Style, args []any) (*expr.Style, error) {
			v := args[0].(string)
			if check != nil {
				if err := check(v); err != nil {
					return nil, fmt.Errorf("invalid %s '%s': %w", name, v, err)
				}
			}
			return s.With(name, v), nil
		})
}

// aliasWord is w under another name.
func aliasWord(name, of string, w Word) Word {
	w.Name, w.Doc = name, "The same as `:"+of+"`."
	return w
}

func within(least, most int) func(string) error {
	return func(v string) error {
		if n, err := strconv.Atoi(v); err != nil || n < least || n > most {
			return fmt.Errorf("must be an integer from %d to %d", least, most)
		}
		return nil
	}
}

func widthOfLine(v string) error {
	if w, err := strconv.ParseFloat(v, 64); err != nil || !(w >= 0 && w <= 100) {
		return fmt.Errorf("must be a number from 0 to 100")
	}
	return nil
}

func colourWords() Vocabulary {
	return Vocabulary{
		styleWord("alpha", "TimeSeries alpha:String -- Style",
			"Opacity as two hex digits: 00 is transparent, ff opaque. It becomes part of a colour set before.",
			[]string{"name,sps,:eq,:stack,40", "name,sps,:eq,f00,:color,40", "ERROR:1,4"}, []func(any) bool{IsString},
			func(s *expr.Style, args []any) (*expr.Style, error) { return s.WithAlpha(args[0].(string)) }),
		styleWord("color", "TimeSeries color:String -- Style",
			"Colour as 3, 6 or 8 hex digits (the first two of 8 are the opacity) or the name of a theme's colour.",
			[]string{"1,f00", "1,ff0000", "1,0fff0000", "1,blue1", "ERROR:1,#f00"}, []func(any) bool{IsString},
			func(s *expr.Style, args []any) (*expr.Style, error) { return s.WithColor(args[0].(string)) }),
		styleWord("palette", "TimeSeries palette:String -- Style",
			"Colours for the lines of the expression, by the name of a palette; `hash:name` picks by the text of the legend.",
			[]string{"name,sps,:eq,(,nf.cluster,),:by,reds"}, []func(any) bool{IsString},
			func(s *expr.Style, args []any) (*expr.Style, error) { return s.WithPalette(args[0].(string)), nil }),
		styleWord("palette", "TimeSeries colors:List -- Style", "Colours for the lines of the expression, in turn.",
			[]string{"name,sps,:eq,(,nf.cluster,),:by,(,1a9850,91cf60,)"}, []func(any) bool{IsStringList},
			func(s *expr.Style, args []any) (*expr.Style, error) {
				return s.WithPaletteColors(listArg(args[0])), nil
			}),
	}
}

// styledFilterWord is :filter after words of style; the condition sees the
// expression behind the style.
func styledFilterWord() Word {
	return Word{
		Name: "filter", Signature: "Style cond:TimeSeries -- Style",
		Doc:      "Filters an expression that has settings of style already.",
		Examples: []string{"name,sps,:eq,:sum,(,a,),:by,$a,:legend,:stat-max,30e3,:gt"},
		Match:    Args(isStyled, IsTimeSeries),
		Run: func(c *Context) error {
			cond, s := c.PopTimeSeries(), c.PopStyle()
			f, err := expr.NewFilter(s.Expr, cond)
			if err != nil {
				return errArgument("%v", err)
			}
			c.Push(s.WithExpr(f))
			return nil
		},
	}
}

func epicVizWord() Word {
	return Word{
		Name: "des-epic-viz", Signature: epicSignature + "Style*",
		Doc:      "Shows `:des-epic-signal` as vertical spans, with the line and the bounds.",
		Examples: []string{"name,sps,:eq,:sum,10,0.1,0.5,0.2,0.2,4"},
		Match:    Args(epicArgs()...),
		Run: func(c *Context) error {
			e, err := c.popEpic()
			if err != nil {
				return err
			}
			c.Push(expr.NewStyle(e.signal).With("ls", "vspan").With("alpha", "40").With("legend", "triggered"))
			c.Push(expr.NewStyle(e.line).With("legend", "line"))
			for _, b := range e.bounds {
				c.Push(expr.NewStyle(b.t).With("legend", b.name))
			}
			return nil
		},
	}
}
