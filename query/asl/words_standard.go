package asl

import "slices"

// Standard returns the words that arrange the stack. They know nothing about
// what lies on it.
func Standard() Vocabulary {
	return Join(
		Vocabulary{
			wordCall(), wordClear(), wordDepth(), wordDrop(), wordDup(), wordEach(), wordFormat(), wordFreeze(),
			wordGet(), wordPick(), wordMap(), wordNDrop(), wordNList(), wordOver(), wordReverseRot(), wordRoll(),
			wordRot(), wordSet(), wordSwap(), wordList(),
		},
		Vocabulary{
			Macro("2over", ":over,:over", "a,b"),
			Macro("nip", ":swap,:drop", "a,b"),
			Macro("tuck", ":swap,:over", "a,b"),
			Macro("fcall", ":get,:call", "duplicate,(,:dup,),:set,a,duplicate"),
			Macro("sset", ":swap,:set", "a,b"),
		},
	)
}

func wordCall() Word {
	return Word{
		Name:      "call",
		Signature: "? List -- ?",
		Doc:       "Pop a list off the stack and execute it as a program.",
		Examples:  []string{"(,a,)", "ERROR:a"},
		Match:     Args(IsList),
		Run:       func(c *Context) error { return c.call(c.PopList()) },
	}
}

func wordClear() Word {
	return Word{
		Name:      "clear",
		Signature: "* -- <empty>",
		Doc:       "Remove all items from the stack.",
		Examples:  []string{"a,b,c"},
		Match:     Any,
		Run: func(c *Context) error {
			c.Stack = c.Stack[:0]
			return nil
		},
	}
}

func wordDepth() Word {
	return Word{
		Name:      "depth",
		Signature: " -- N",
		Doc:       "Push the number of items on the stack before this one.",
		Examples:  []string{"", "a", "a,b"},
		Match:     Any,
		Run: func(c *Context) error {
			c.pushInt(len(c.Stack))
			return nil
		},
	}
}

func wordDrop() Word {
	return Word{
		Name:      "drop",
		Signature: "a -- ",
		Doc:       "Remove the item on the top of the stack.",
		Examples:  []string{"a,b,c", "ERROR:"},
		Match:     Args(IsAnything),
		Run: func(c *Context) error {
			c.Drop(1)
			return nil
		},
	}
}

func wordDup() Word {
	return Word{
		Name:      "dup",
		Signature: "a -- a a",
		Doc:       "Duplicate the item on the top of the stack.",
		Examples:  []string{"a", "a,b", "ERROR:"},
		Match:     Args(IsAnything),
		Run: func(c *Context) error {
			c.Push(c.Stack[len(c.Stack)-1])
			return nil
		},
	}
}

func wordEach() Word {
	return Word{
		Name:      "each",
		Signature: "items:List f:List -- f(items[N]) ... f(items[0])",
		Doc: "Push each item of a list and apply a function.\n\n" +
			"It starts with the last item, so that a list made by `:list`, whose first item was the top of the " +
			"stack, comes out in the order it had there: `:list,(,:avg,),:each` applies `:avg` to everything.",
		Examples: []string{"(,a,b,),(,:dup,)", "ERROR:a,(,)"},
		Match:    Args(IsList, IsList),
		Run: func(c *Context) error {
			f, items := c.PopList(), c.PopList()
			for _, item := range slices.Backward(items) {
				c.Push(cooked(item))
				if err := c.call(f); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func wordMap() Word {
	return Word{
		Name:      "map",
		Signature: "items:List f:List -- List(f(items[0]) ... f(items[N]))",
		Doc:       "Create a list from what a function leaves on top of the stack for each item of a list.",
		Examples:  []string{"(,a%s,b%s,),(,(,.netflix.com,),:format,)", "ERROR:a,(,)"},
		Match:     Args(IsList, IsList),
		Run: func(c *Context) error {
			f, items := c.PopList(), c.PopList()
			out := make(List, 0, len(items))
			for _, item := range items {
				c.Push(cooked(item))
				if err := c.call(f); err != nil {
					return err
				}
				if len(c.Stack) == 0 {
					return errArgument("the function of :map left nothing on the stack")
				}
				out = append(out, c.Pop())
			}
			c.Push(out)
			return nil
		},
	}
}

func wordFormat() Word {
	return Word{
		Name:      "format",
		Signature: "pattern:String args:List -- str:String",
		Doc: "Format a string with a printf pattern: `%[n$][flags][width][.precision]type` with the types " +
			"`s`, `d`, `u`, `x`, `X` and `f`, the flags `-`, `0`, `+` and blank, and `%%`.",
		Examples: []string{"foo%s,(,bar,)", "%.2f of %2$s,(,1.5,cpu,)", "ERROR:%s %s,(,a,)"},
		Match:    Args(IsString, IsList),
		Run: func(c *Context) error {
			list, pattern := c.PopList(), c.PopString()
			args := make([]string, len(list))
			for i, item := range list {
				item = cooked(item)
				if s, ok := item.(string); ok {
					args[i] = s
				} else {
					args[i] = Text(item)
				}
			}
			text, err := Format(pattern, args)
			if err != nil {
				return err
			}
			c.Push(text)
			return nil
		},
	}
}

func wordFreeze() Word {
	return Word{
		Name:      "freeze",
		Signature: "* -- <empty>",
		Doc: "Move the contents of the stack out of reach of what follows and reset the variables. " +
			"The frozen items come first in the result.",
		Examples: []string{"a,b,c"},
		Match:    Any,
		Run: func(c *Context) error {
			c.freeze()
			return nil
		},
	}
}

func wordGet() Word {
	return Word{
		Name:      "get",
		Signature: "k -- vars[k]",
		Doc:       "Push the value of a variable.",
		Examples:  []string{"k,v,:set,k", "ERROR:k"},
		Match:     Args(IsString),
		Run: func(c *Context) error {
			key := c.PopString()
			value, ok := c.Vars[key]
			if !ok {
				return c.notSet(key)
			}
			c.Push(value)
			return nil
		},
	}
}

func wordSet() Word {
	return Word{
		Name:      "set",
		Signature: "k v -- ",
		Doc:       "Set the value of a variable.",
		Examples:  []string{"k,v", "ERROR:v"},
		Match:     Args(IsString, IsAnything),
		Run: func(c *Context) error {
			value := c.Pop()
			c.Vars[c.PopString()] = value
			return nil
		},
	}
}

func wordOver() Word {
	return Word{
		Name:      "over",
		Signature: "a b -- a b a",
		Doc:       "Copy the second item of the stack to the top.",
		Examples:  []string{"a,b", "ERROR:a"},
		Match:     Args(IsAnything, IsAnything),
		Run: func(c *Context) error {
			c.Push(c.Stack[len(c.Stack)-2])
			return nil
		},
	}
}

func wordSwap() Word {
	return Word{
		Name:      "swap",
		Signature: "a b -- b a",
		Doc:       "Swap the top two items of the stack.",
		Examples:  []string{"a,b", "ERROR:a"},
		Match:     Args(IsAnything, IsAnything),
		Run: func(c *Context) error {
			n := len(c.Stack)
			c.Stack[n-1], c.Stack[n-2] = c.Stack[n-2], c.Stack[n-1]
			return nil
		},
	}
}

func wordRot() Word {
	return Word{
		Name:      "rot",
		Signature: "a ... b -- ... b a",
		Doc:       "Rotate the stack so that the item at the bottom is at the top.",
		Examples:  []string{"a,b,c,d", "ERROR:"},
		Match:     Args(IsAnything),
		Run: func(c *Context) error {
			bottom := c.Stack[0]
			copy(c.Stack, c.Stack[1:])
			c.Stack[len(c.Stack)-1] = bottom
			return nil
		},
	}
}

func wordReverseRot() Word {
	return Word{
		Name:      "-rot",
		Signature: "* a b -- b * a",
		Doc:       "Rotate the stack so that the item at the top is at the bottom.",
		Examples:  []string{"a,b,c,d", "ERROR:"},
		Match:     Args(IsAnything),
		Run: func(c *Context) error {
			top := c.Stack[len(c.Stack)-1]
			copy(c.Stack[1:], c.Stack)
			c.Stack[0] = top
			return nil
		},
	}
}

func wordRoll() Word {
	return Word{
		Name:      "roll",
		Signature: "aN ... a0 N -- aN-1 ... a0 aN",
		Doc:       "Move item N, counted from the top, to the top.",
		Examples:  []string{"a,0", "a,b,0", "a,b,1", "ERROR:a", "ERROR:a,1"},
		Match:     Args(IsAnything, IsInt),
		Run: func(c *Context) error {
			at, err := c.popDepth()
			if err != nil {
				return err
			}
			item := c.Stack[at]
			c.Stack = append(slices.Delete(c.Stack, at, at+1), item)
			return nil
		},
	}
}

func wordPick() Word {
	return Word{
		Name:      "pick",
		Signature: "aN ... a0 N -- aN ... a0 aN",
		Doc:       "Copy item N, counted from the top, to the top.",
		Examples:  []string{"a,0", "a,b,0", "a,b,1", "ERROR:a", "ERROR:a,1"},
		Match:     Args(IsAnything, IsInt),
		Run: func(c *Context) error {
			at, err := c.popDepth()
			if err != nil {
				return err
			}
			c.Push(c.Stack[at])
			return nil
		},
	}
}

func wordNDrop() Word {
	return Word{
		Name:      "ndrop",
		Signature: "aN ... a0 N -- aN",
		Doc:       "Remove the top N items, or as many as there are.",
		Examples:  []string{"a,0", "a,b,c,2", "a,b,c,4", "ERROR:", "ERROR:a"},
		Match:     Args(IsInt),
		Run: func(c *Context) error {
			c.Drop(c.popCount())
			return nil
		},
	}
}

func wordNList() Word {
	return Word{
		Name:      "nlist",
		Signature: "aN ... a0 N -- aN List(aN-1 ... a0)",
		Doc:       "Create a list of the top N items, or as many as there are.",
		Examples:  []string{"a,0", "a,b,c,2", "a,b,c,4", "ERROR:", "ERROR:a"},
		Match:     Args(IsInt),
		Run: func(c *Context) error {
			n := c.popCount()
			list := List(slices.Clone(c.Stack[len(c.Stack)-n:]))
			c.Drop(n)
			c.Push(list)
			return nil
		},
	}
}

func wordList() Word {
	return Word{
		Name:      "list",
		Signature: "* -- List(*)",
		Doc:       "Pop all items off the stack and push them as a list, whose first item is what was on top.",
		Examples:  []string{"a,b", ""},
		Match:     Any,
		Run: func(c *Context) error {
			list := List(slices.Clone(c.Stack))
			slices.Reverse(list)
			c.Stack = c.Stack[:0]
			c.Push(list)
			return nil
		},
	}
}

// popCount pops a number and limits it to what is on the stack.
func (c *Context) popCount() int {
	n := c.PopInt()
	return max(0, min(n, len(c.Stack)))
}

// popDepth pops a number and returns the index of the item that far from the top.
func (c *Context) popDepth() (int, error) {
	n := c.PopInt()
	if n < 0 || n >= len(c.Stack) {
		return 0, errArgument("no item %d on a stack of %d", n, len(c.Stack))
	}
	return len(c.Stack) - 1 - n, nil
}
