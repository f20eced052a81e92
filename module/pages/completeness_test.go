package pages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"strconv"
	"testing"
	texttemplate "text/template"
	"text/template/parse"
)

// TestGalleryHasEveryKind looks for messages, errors, ways on and fields that
// the code declares and no sample has: nobody would have looked at those.
func TestGalleryHasEveryKind(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range gallery() {
		var message Message
		switch page := s.page.(type) {
		case SignIn:
			message = page.Message
		case Passcode:
			message = page.Message
		case Enroll:
			message = page.Message
		case SetPassword:
			message = page.Message
		case AccountName:
			message = page.Message
		case Error:
			seen["ErrorKind "+string(page.Kind)] = true
			seen["WayKind "+string(page.Way.Kind)] = true
		}
		seen["MessageKind "+string(message.Kind)] = true
		seen["Field "+string(message.Field)] = true
	}
	found := 0
	for _, file := range []string{"message.go", "error.go"} {
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(source, func(n ast.Node) bool {
			declared, ok := n.(*ast.ValueSpec)
			if !ok || declared.Type == nil || len(declared.Values) != 1 {
				return true
			}
			kind, isName := declared.Type.(*ast.Ident)
			value, isLiteral := declared.Values[0].(*ast.BasicLit)
			if !isName || !isLiteral {
				return true
			}
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			found++
			if !seen[kind.Name+" "+text] {
				t.Errorf("no sample has %s (%s)", declared.Names[0].Name, file)
			}
			return true
		})
	}
	if want := len(errorKinds) + 10; found < want {
		t.Errorf("%d kinds are declared, want %d at least: does this test still read them?", found, want)
	}
}

// branch marks one way through a template.
type branch struct{ template, condition, way string }

// TestGalleryTakesEveryBranch looks for states that a template can show and no
// sample has: every condition of every template has to come out both ways.
func TestGalleryTakesEveryBranch(t *testing.T) {
	p := newPages(t, Brand{}, "en")
	taken := map[branch]bool{}
	var all []branch
	marked := map[string]*texttemplate.Template{}
	for name, page := range p.templates {
		clone := texttemplate.New(name).Funcs(texttemplate.FuncMap{"taken": func(i int) string {
			taken[all[i]] = true
			return ""
		}})
		for _, part := range page.Templates() {
			if part.Tree == nil {
				continue
			}
			tree := part.Tree.Copy()
			from := part.Name()
			if from == "main" {
				from = name
			}
			markBranches(tree.Root, func(condition, way string) parse.Node {
				all = append(all, branch{from, condition, way})
				return mark(t, len(all)-1)
			})
			if _, err := clone.AddParseTree(part.Name(), tree); err != nil {
				t.Fatal(err)
			}
		}
		marked[name] = clone
	}
	if len(all) < 50 {
		t.Fatalf("only %d branches were found", len(all))
	}

	for _, e := range exhibitions() {
		p := newPages(t, e.brand, "")
		for _, s := range e.samples {
			shown, err := p.prepare(s.view, s.page)
			if err != nil {
				t.Fatal(s.name, err)
			}
			if err := marked[s.page.name()].ExecuteTemplate(io.Discard, "layout.html", shown); err != nil {
				t.Fatal(s.name, err)
			}
		}
	}
	for _, b := range all {
		if !taken[b] {
			taken[b] = true // what several templates share is told once
			t.Errorf("%s: {{%s}} never comes out as %s", b.template, b.condition, b.way)
		}
	}
}

// markBranches puts a mark into each way through a template.
func markBranches(list *parse.ListNode, mark func(condition, way string) parse.Node) {
	both := func(n *parse.BranchNode) {
		condition := n.Pipe.String()
		if n.ElseList == nil {
			n.ElseList = &parse.ListNode{NodeType: parse.NodeList}
		}
		markBranches(n.List, mark)
		markBranches(n.ElseList, mark)
		n.List.Nodes = append([]parse.Node{mark(condition, "true")}, n.List.Nodes...)
		n.ElseList.Nodes = append([]parse.Node{mark(condition, "false")}, n.ElseList.Nodes...)
	}
	for _, n := range list.Nodes {
		switch n := n.(type) {
		case *parse.IfNode:
			both(&n.BranchNode)
		case *parse.WithNode:
			both(&n.BranchNode)
		case *parse.RangeNode:
			markBranches(n.List, mark) // an empty list is shown by the condition around it
		}
	}
}

// mark is {{taken i}}.
func mark(t *testing.T, i int) parse.Node {
	t.Helper()
	trees, err := parse.Parse("mark", "{{taken "+strconv.Itoa(i)+"}}", "", "", map[string]any{"taken": func() {}})
	if err != nil {
		t.Fatal(err)
	}
	return trees["mark"].Root.Nodes[0]
}
