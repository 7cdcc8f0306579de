package console

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// chainDrawing is a chain as the page shows it.
type chainDrawing struct {
	Name, Broker string
	// DOM is the id of the drawing; the list has -list after it.
	DOM           string
	Nodes         []*chainNode // the upload is the first
	Arrows        []*chainArrow
	Width, Height int
	sources       []*imageflowv1.ChainSource
}

// chainNode is the upload, a step, or what comes after the steps.
type chainNode struct {
	box
	Kind           string // upload, step, completion, webhook or other
	Title, Trigger string
	About          string // a sentence about the Trigger
	Facts          []chainFact
	Outputs        []string
	Problems       []string
	// Figure and Times say what happened in the last minutes.
	Figure, Times string
	Rows          []chainRow
	figureY       int
	node          *imageflowv1.ChainNode // nil for the upload
}

// chainFact is a parameter, or a condition of uploads.
type chainFact struct{ Name, Value string }

// chainArrow is a way of events between two nodes.
type chainArrow struct {
	arrow
	From, To *chainNode
	Types    []string
	// Label is short, for the drawing, and Text has words, for the list.
	Label, Text    string
	LabelX, LabelY int
	Anchor         string
}

// drawChain returns the drawing of a chain, without figures.
func drawChain(c *imageflowv1.Chain, problems []*imageflowv1.ChainProblem) *chainDrawing {
	d := &chainDrawing{
		Name: c.GetName(), Broker: c.GetBroker(), DOM: domID("c", c.GetBroker(), c.GetName()), sources: c.GetSources(),
		Nodes: []*chainNode{uploadNode(c.GetSources())},
	}
	at := map[string]int{"": 0}
	for _, n := range c.GetNodes() {
		node := newChainNode(n)
		for _, p := range problems {
			if slices.Contains(p.GetTriggers(), n.GetTrigger()) {
				node.Problems = append(node.Problems, chainProblemNames[p.GetKind()]+": "+p.GetMessage())
			}
		}
		at[n.GetId()] = len(d.Nodes)
		d.Nodes = append(d.Nodes, node)
	}
	for _, e := range c.GetEdges() {
		from, isFrom := at[e.GetFrom()]
		to, isTo := at[e.GetTo()]
		if isFrom && isTo {
			d.addArrow(from, to, e.GetEventType())
		}
	}
	d.layOut()
	return d
}

// addArrow adds an arrow, or a type of events to the arrow between the same nodes.
func (d *chainDrawing) addArrow(from, to int, eventType string) {
	for _, a := range d.Arrows {
		if a.arrow.From == from && a.arrow.To == to {
			a.Types = append(a.Types, eventType)
			return
		}
	}
	d.Arrows = append(d.Arrows, &chainArrow{
		arrow: arrow{From: from, To: to}, From: d.Nodes[from], To: d.Nodes[to], Types: []string{eventType},
	})
}

func uploadNode(sources []*imageflowv1.ChainSource) *chainNode {
	n := &chainNode{Kind: "upload", Title: "upload"}
	for i, s := range sources {
		if i > 0 {
			n.Facts = append(n.Facts, chainFact{Name: "or"})
		}
		for _, f := range []chainFact{
			{"bucket", s.GetBucket()}, {"key", s.GetKey()}, {"key begins", s.GetPrefix()}, {"key ends", s.GetSuffix()},
		} {
			if f.Value != "" {
				n.Facts = append(n.Facts, f)
			}
		}
		for _, prefix := range s.GetExcludedPrefixes() {
			n.Facts = append(n.Facts, chainFact{"but not", prefix})
		}
		for _, condition := range s.GetConditions() {
			n.Facts = append(n.Facts, chainFact{"if", condition})
		}
	}
	return n
}

func newChainNode(n *imageflowv1.ChainNode) *chainNode {
	node := &chainNode{Trigger: n.GetTrigger(), About: n.GetDescription(), Outputs: n.GetOutputs(), node: n}
	uri, err := url.Parse(n.GetUri())
	if err != nil {
		uri = &url.URL{Path: n.GetUri()}
	}
	switch n.GetKind() {
	case imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_STEP:
		node.Kind, node.Title, node.Facts = "step", n.GetProcessor(), queryFacts(uri.RawQuery)
		if n.GetPipeline() != "" {
			node.Facts = append([]chainFact{{"pipeline", n.GetPipeline()}}, stepFacts(n.GetStep())...)
		}
	case imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_COMPLETION:
		node.Kind, node.Title = "completion", "completed"
		node.Facts = []chainFact{{Name: "when the first event comes"}}
		if waits := n.GetWaitsFor(); len(waits) > 0 {
			node.Facts = []chainFact{{Name: "waits for"}}
			for _, leaf := range waits {
				node.Facts = append(node.Facts, chainFact{Value: leaf})
			}
		}
	case imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_WEBHOOK:
		node.Kind, node.Title, node.Facts = "webhook", "webhook", queryFacts(uri.RawQuery)
	default:
		node.Kind, node.Title = "other", n.GetSubscriber()
		if uri.Path != "" && uri.Path != "/" {
			node.Facts = append(node.Facts, chainFact{"path", uri.Path})
		}
		node.Facts = append(node.Facts, queryFacts(uri.RawQuery)...)
	}
	return node
}

// queryFacts returns the parameters of a query in their order. What is not a parameter stays as it is.
func queryFacts(query string) (facts []chainFact) {
	for _, part := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' }) {
		name, value, _ := strings.Cut(part, "=")
		for _, text := range []*string{&name, &value} {
			if plain, err := url.QueryUnescape(*text); err == nil {
				*text = plain
			}
		}
		facts = append(facts, chainFact{name, value})
	}
	return facts
}

// stepFacts returns the parameters of a step of a pipeline, with names as in a query.
func stepFacts(step *imageflowv1.PipelineStep) (facts []chainFact) {
	m := step.ProtoReflect()
	if f := m.WhichOneof(m.Descriptor().Oneofs().ByName("processor")); f != nil {
		addFacts(&facts, "", m.Get(f).Message())
	}
	return facts
}

func addFacts(facts *[]chainFact, prefix string, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := prefix + string(f.Name())
		switch v := m.Get(f); {
		case !m.Has(f):
		case f.Kind() == protoreflect.MessageKind && f.Cardinality() != protoreflect.Repeated:
			addFacts(facts, name+".", v.Message())
		case f.Kind() == protoreflect.EnumKind && f.Cardinality() != protoreflect.Repeated:
			if value := f.Enum().Values().ByNumber(v.Enum()); value != nil {
				*facts = append(*facts, chainFact{name, string(value.Name())})
			}
		default:
			*facts = append(*facts, chainFact{name, v.String()})
		}
	}
}

// variants returns the variants of the outputs of a step; ok is false if their names do not say.
func (n *chainNode) variants() (all []string, ok bool) {
	for _, text := range n.Outputs {
		leaf, _, _ := strings.Cut(path.Base(text), ".")
		name, variant, _ := strings.Cut(leaf, "-")
		if name != n.node.GetProcessor() {
			return nil, false
		}
		all = append(all, variant)
	}
	return all, len(all) > 0
}
