package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc"

	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/triggers"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const eventing = "../../eventing"

// chainGateway answers ListChains as a gateway does.
type chainGateway struct {
	imageflowv1.ExecutionServiceClient
	server *gateway.Executions
}

func (g chainGateway) ListChains(
	ctx context.Context, r *imageflowv1.ListChainsRequest, _ ...grpc.CallOption,
) (*imageflowv1.ListChainsResponse, error) {
	return g.server.ListChains(ctx, r)
}

// gatewayOf returns a gateway that knows the Triggers in folders.
func gatewayOf(t *testing.T, folders ...string) chainGateway {
	t.Helper()
	set, err := presets.Load("../../config/components/presets/presets.yaml")
	if err != nil {
		t.Fatal(err)
	}
	read := func() ([]triggers.File, error) { return triggers.ReadFiles(folders) }
	return chainGateway{server: &gateway.Executions{Chains: &gateway.Chains{Read: read, Presets: set}}}
}

// chainConsole returns a console in front of a gateway.
func chainConsole(t *testing.T, g chainGateway) *Console {
	t.Helper()
	s, err := New(Config{Executions: g, MaxPages: 10})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drawnBy returns the chains as a console draws them now.
func drawnBy(t *testing.T, s *Console) *chainPage {
	t.Helper()
	if err := s.drawChains(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.chains.Load()
}

// TestShippedChains_areDrawn: in each chain of eventing and its examples no two nodes overlap, each arrow begins and ends at its
// nodes, all lies in the drawing, no text is wider than its node, and the same Triggers give the same drawing.
func TestShippedChains_areDrawn(t *testing.T) {
	examples := eventing + "/examples"
	folders := []string{eventing, examples, examples + "/webhooks", examples + "/presets"}
	for _, with := range [][]string{folders[:1], folders[1:2], folders[3:], folders} {
		s := chainConsole(t, gatewayOf(t, with...))
		page, again := drawnBy(t, s), drawnBy(t, s)
		if len(page.Chains) == 0 {
			t.Fatalf("%v: no chain", with)
		}
		for i, c := range page.Chains {
			checkDrawing(t, c)
			first, _ := s.part("chain", "drawing", c)
			second, _ := s.part("chain", "drawing", again.Chains[i])
			if string(first) != string(second) {
				t.Errorf("%s: two drawings differ", c.Name)
			}
		}
	}
}

func checkDrawing(t *testing.T, d *chainDrawing) {
	t.Helper()
	for i, n := range d.Nodes {
		if n.X < 0 || n.Y < 0 || n.X+n.W > d.Width || n.Y+n.H > d.Height {
			t.Errorf("%s: %s is at %v outside of %d×%d", d.Name, n.Title, n.box, d.Width, d.Height)
		}
		for _, other := range d.Nodes[:i] {
			if n.X < other.X+other.W && other.X < n.X+n.W && n.Y < other.Y+other.H && other.Y < n.Y+n.H {
				t.Errorf("%s: %s %v and %s %v overlap", d.Name, n.Title, n.box, other.Title, other.box)
			}
		}
		for _, r := range n.Rows {
			if len([]rune(r.Text)) > lineChars || r.Y > n.H {
				t.Errorf("%s: %s: row %+v of a node with height %d", d.Name, n.Title, r, n.H)
			}
		}
	}
	for _, a := range d.Arrows {
		first, last := a.Points[0], a.Points[len(a.Points)-1]
		atFrom := first.X == a.From.X+a.From.W && first.Y >= a.From.Y && first.Y <= a.From.Y+a.From.H
		atTo := last.X == a.To.X && last.Y >= a.To.Y && last.Y <= a.To.Y+a.To.H
		if !atFrom || !atTo {
			t.Errorf("%s: an arrow from %s %v to %s %v has points %v", d.Name, a.From.Title, a.From.box, a.To.Title, a.To.box, a.Points)
		}
		for i := 0; i < len(a.Points); i += 2 {
			if a.Points[i+1].X-a.Points[i].X != layerGap {
				t.Errorf("%s: the arrow from %s to %s has a curve beyond one gap: %v", d.Name, a.From.Title, a.To.Title, a.Points)
			}
		}
		for i := 1; i+1 < len(a.Points); i += 2 { // where it passes a layer
			for _, n := range d.Nodes {
				if y := a.Points[i].Y; a.Points[i].X < n.X+n.W && n.X < a.Points[i+1].X && y > n.Y && y < n.Y+n.H {
					t.Errorf("%s: the arrow from %s to %s passes through %s", d.Name, a.From.Title, a.To.Title, n.Title)
				}
			}
		}
	}
}

// TestLayOut_loops: arrows that close loops end at their nodes, too.
func TestLayOut_loops(t *testing.T) {
	boxes := []box{{W: 10, H: 30}, {W: 10, H: 30}, {W: 10, H: 30}}
	arrows := []arrow{{From: 0, To: 1}, {From: 1, To: 2}, {From: 2, To: 1}, {From: 2, To: 2}}
	layOut(boxes, arrows)
	if boxes[0].X >= boxes[1].X || boxes[1].X >= boxes[2].X {
		t.Errorf("boxes are at %v", boxes)
	}
	back, self := arrows[2].Points, arrows[3].Points
	if len(back) != 2 || back[0].X != boxes[2].X || back[1].X != boxes[1].X+10 || len(self) != 2 || self[1].X != boxes[2].X+10 {
		t.Errorf("the loops have points %v and %v", back, self)
	}
	for _, a := range arrows {
		if a.Path() == "" || a.Head() == "" {
			t.Errorf("arrow %v has no curve", a)
		}
	}
}

// TestChain_problems: what is wrong about Triggers stands above the chains and at the nodes.
func TestChain_problems(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(eventing + "/examples/renditions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(string(text), "?variant=medium&", "?variant=small&", 1)
	broken = strings.Replace(broken, "name: renditions-5-filter", "name: renditions-5-<b>'", 1)
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	s := chainConsole(t, gatewayOf(t, dir))
	page := drawnBy(t, s)
	wrong := 0
	for _, n := range page.Chains[0].Nodes {
		isSame := func(text string) bool { return strings.HasPrefix(text, "Two Triggers write one name: ") }
		if slices.ContainsFunc(n.Problems, isSame) {
			wrong++
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/chain", nil))
	body := w.Body.String()
	if wrong != 2 || w.Code != http.StatusOK || strings.Count(body, "node-wrong") != 3 || strings.Contains(body, "<b>'") ||
		!strings.Contains(body, "<h2 id=\"problems\">") || !strings.Contains(body, "Waits for an output that nobody makes") {
		t.Errorf("%d nodes are wrong; the page is %d %s", wrong, w.Code, body)
	}
	checkDrawing(t, page.Chains[0])
}

// TestChain_descriptions: the list has the sentence of a Trigger, the drawing its start, and of a pipeline the first step.
func TestChain_descriptions(t *testing.T) {
	s := chainConsole(t, gatewayOf(t, eventing+"/examples/presets"))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/chain", nil))
	containsAll(t, w.Body.String(), `<p><bdi>Runs the pipeline avatar on uploads under avatars/, for profiles.</bdi></p>`,
		`<text class="about" x="8" y="49">Runs the pipeline<title>`)
	if n := strings.Count(w.Body.String(), "<bdi>Runs the pipeline avatar"); n != 1 {
		t.Errorf("%d steps of the pipeline have its sentence", n)
	}
}

// TestChain_withoutGateway: a gateway that cannot say gives a page with its reason.
func TestChain_withoutGateway(t *testing.T) {
	s := chainConsole(t, chainGateway{server: &gateway.Executions{}})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/chain", nil))
	if w.Code < 400 || !strings.Contains(w.Body.String(), "TRIGGERS_PATH is not set") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestChainNode_longTexts: a node shows the start of a text, and all of it as a title.
func TestChainNode_longTexts(t *testing.T) {
	const long = 100
	value := strings.Repeat("+long", long)[1:]
	n := newChainNode(&imageflowv1.ChainNode{
		Kind: imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_STEP, Processor: "resize", Uri: "/?variant=" + value,
	})
	d := &chainDrawing{Nodes: []*chainNode{n}}
	d.layOut()
	var facts []chainRow
	for _, r := range n.Rows {
		if r.Class == "fact" {
			facts = append(facts, r)
		}
	}
	if len(facts) != maxFactLines || !strings.HasSuffix(facts[maxFactLines-1].Text, "…") ||
		strings.Count(facts[0].Whole, "long") != long {
		t.Errorf("%d rows: %v", len(facts), facts)
	}
	html, err := chainConsole(t, chainGateway{}).part("chain", "drawing", d)
	if err != nil || !strings.Contains(string(html), ">variant long long long<title>variant long") {
		t.Errorf("%v: %s", err, html)
	}
}

// TestWrap: no line is too long, and only spaces are lost.
func TestWrap(t *testing.T) {
	for _, text := range []string{
		"", "short", "output_image.content_type image/webp", strings.Repeat("ä", 50), "a b " + strings.Repeat("x", 30) + "/y", "   ",
	} {
		lines := wrap(text, 10)
		plain := func(s string) string { return strings.ReplaceAll(s, " ", "") }
		if plain(strings.Join(lines, "")) != plain(text) {
			t.Errorf("%q has become %q", text, lines)
		}
		for _, line := range lines {
			if len([]rune(line)) > 10 {
				t.Errorf("%q has the line %q", text, line)
			}
		}
	}
}
