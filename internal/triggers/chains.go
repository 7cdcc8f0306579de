package triggers

import (
	"cmp"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Chain is what happens to the uploads of some sources, as a graph of Triggers.
type Chain struct {
	// Name is unique among the chains.
	Name string
	// Broker is the namespace and the name of the broker.
	Broker  string
	Sources []Source
	// Nodes are in the order of steps; the ends of branches are the last.
	Nodes []*Node
	Edges []Edge
}

// NodeKind is what the subscriber of a Trigger is.
type NodeKind int

// The kinds of nodes.
const (
	OtherNode NodeKind = iota
	StepNode
	CompletionNode
	WebhookNode
)

// Node is a Trigger, or one step of the pipeline that it runs.
type Node struct {
	// ID is the name of the Trigger, followed by /<number> for a step of its pipeline.
	ID, Trigger string
	Kind        NodeKind
	// Description is the sentence of the Trigger's DescriptionAnnotation, of at most 500 runes. Of a pipeline, the first
	// step has it.
	Description string
	// Subscriber is the name of a Service, or the scheme and host of a URL, whose path may be a secret.
	Subscriber string
	// URI is the path and the query of requests to a Service.
	URI string
	// Processor is the name of a step's processor.
	Processor string
	// Pipeline and Step are set for a step of a pipeline.
	Pipeline string
	Step     *imageflowv1.PipelineStep
	// Outputs are the texts of a step's leaves, or "<bucket>/<leaf>", or keys of their own.
	Outputs []string
	// WaitsFor are the leaves for which a completion waits.
	WaitsFor []execution.Leaf
	// variant belongs to a step of a pipeline, by itself or inherited from a step before.
	variant string
}

// Edge is a way of events of a type, or of types with this start. From is empty for the upload. The type is empty
// between steps of a pipeline.
type Edge struct{ From, To, EventType string }

// Chains returns the chains that Triggers make. Triggers with equal filters for uploads begin one chain.
// Pipelines are those of the set.
func Chains(all []Trigger, set *presets.Set) (chains []Chain) {
	expanded := Expand(all, set)
	ways := paths(expanded)
	groups := map[string]*graph{}
	var order []*graph
	for _, p := range ways {
		first := expanded[p.steps[0]]
		filters, _ := json.Marshal(first.filters()) // of texts
		group := first.broker() + " " + string(filters)
		if groups[group] == nil {
			groups[group] = &graph{all: expanded, set: set, Chain: Chain{Broker: first.broker(), Sources: sources(first)}}
			order = append(order, groups[group])
		}
		groups[group].ways = append(groups[group].ways, p)
	}
	names := map[string]bool{}
	for _, g := range order {
		first := expanded[g.ways[0].steps[0]].Metadata.Name
		for _, g.Name = range []string{shortName(first), first, g.Broker + "/" + first} {
			if !names[g.Name] {
				break
			}
		}
		names[g.Name] = true
		g.build()
		chains = append(chains, g.Chain)
	}
	return chains
}

var numbered = regexp.MustCompile(`^(.+)-[0-9]+-`)

// shortName returns the part of a name before the last -<number>-, since the name of a chain may have numbers, too.
func shortName(name string) string {
	if parts := numbered.FindStringSubmatch(name); parts != nil {
		return parts[1]
	}
	return name
}

// graph is a chain that is being built from its ways.
type graph struct {
	Chain
	all  []Trigger
	set  *presets.Set
	ways []path
}

func (g *graph) build() {
	for _, p := range g.ways {
		t := g.all[p.last()]
		g.addTrigger(t)
		g.addOutputs(t, p)
		if t.IsInner {
			continue
		}
		e := Edge{To: g.of(t)[0].ID, EventType: events.ObjectCreatedPrefix}
		if n := len(p.steps); n > 1 {
			before := g.all[p.steps[n-2]]
			step, _ := processors.At(before.Spec.Subscriber.Ref.Name)
			e.From, e.EventType = g.last(before), events.StepCompletedType(step.Name)
		}
		g.addEdge(e)
	}
	g.addEnds()
	g.addOutcomes()
}

// of returns the nodes of a Trigger.
func (g *graph) of(t Trigger) (nodes []*Node) {
	for _, n := range g.Nodes {
		if n.Trigger == t.Metadata.Name {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// last returns the id of the node that sends the event of a Trigger's step.
func (g *graph) last(t Trigger) string {
	nodes := g.of(t)
	return nodes[len(nodes)-1].ID
}

// addEnds adds the Triggers that are no steps and get an event of the chain.
func (g *graph) addEnds() {
	for _, t := range g.all {
		_, service := t.service()
		if _, isStep := processors.At(service); isStep || t.broker() != g.Broker {
			continue
		}
		for _, p := range g.ways {
			upload := path{condition: p.condition}
			if len(p.steps) == 1 && len(upload.reaches(t)) > 0 {
				g.addTrigger(t)
				g.addEdge(Edge{"", t.Metadata.Name, events.ObjectCreatedPrefix})
			}
			if !g.all[p.last()].IsInner && len(p.reaches(t)) > 0 {
				g.addTrigger(t)
				g.addEdge(Edge{g.last(g.all[p.last()]), t.Metadata.Name, events.StepCompletedType(p.processor.Name)})
			}
		}
	}
}

// addOutcomes adds the Triggers that get the events of outcomes. They come from the Triggers that record them.
func (g *graph) addOutcomes() {
	for _, t := range g.all {
		_, service := t.service()
		if _, isStep := processors.At(service); isStep || t.isCompletion() || t.broker() != g.Broker {
			continue
		}
		for _, n := range slices.Clone(g.Nodes) {
			for _, outcome := range []string{events.ExecutionCompleted, events.ExecutionFailed} {
				end := path{steps: g.ways[0].steps, condition: g.ways[0].condition, outcome: outcome}
				if n.Kind == CompletionNode && len(end.reaches(t)) > 0 {
					g.addTrigger(t)
					g.addEdge(Edge{n.ID, t.Metadata.Name, outcome})
				}
			}
		}
	}
}

// addTrigger adds the nodes of a Trigger if they are missing.
func (g *graph) addTrigger(t Trigger) {
	if len(g.of(t)) > 0 {
		return
	}
	if name := t.pipeline; name != "" {
		g.addPipeline(t, name)
		return
	}
	_, service := t.service()
	n := &Node{
		ID: t.Metadata.Name, Trigger: t.Metadata.Name, Description: t.description(),
		Subscriber: service, URI: t.Spec.Subscriber.URI,
	}
	if p, isStep := processors.At(service); isStep {
		n.Kind, n.Processor = StepNode, p.Name
	}
	if uri, err := url.Parse(n.URI); err == nil && service == "" {
		n.Subscriber, n.URI = uri.Scheme+"://"+uri.Host, ""
	}
	switch {
	case t.isCompletion():
		n.Kind = CompletionNode
		n.WaitsFor, _ = t.waitsFor()
	case service == notify:
		n.Kind = WebhookNode
	}
	g.Nodes = append(g.Nodes, n)
}

// addPipeline adds a node for each step of a pipeline.
func (g *graph) addPipeline(t Trigger, name string) {
	steps, _ := g.set.Pipeline(name) // which Expand has found
	for i, step := range steps {
		p, req := stepOf(step)
		n := &Node{
			ID: t.Metadata.Name + "/" + strconv.Itoa(i+1), Trigger: t.Metadata.Name, Kind: StepNode, Subscriber: gateway,
			URI: "/?" + pipelineParameter + "=" + name, Processor: p.Name, Pipeline: name, Step: step, variant: variantOf(req),
		}
		if i == 0 {
			n.Description = t.description()
		} else {
			before := g.Nodes[len(g.Nodes)-1]
			n.variant = cmp.Or(n.variant, before.variant)
			g.addEdge(Edge{From: before.ID, To: n.ID})
		}
		g.Nodes = append(g.Nodes, n)
	}
}

func (g *graph) addEdge(e Edge) {
	if !slices.Contains(g.Edges, e) {
		g.Edges = append(g.Edges, e)
	}
}

// addOutputs adds the output of the last step of a path to its node. In a pipeline, the n-th step of a processor
// without a variant has the name of the first and "-<n>".
func (g *graph) addOutputs(t Trigger, p path) {
	count := 0
	for _, n := range g.of(t) {
		if n.Processor != p.processor.Name || t.pipeline != "" && !n.makes(t.output().variant) {
			continue
		}
		text := p.leaf().String()
		if count++; count > 1 {
			text += "-" + strconv.Itoa(count)
		}
		switch {
		case p.output.key != "":
			text = p.output.key
		case p.output.bucket != "":
			text = p.output.bucket + "/" + text
		}
		if !slices.Contains(n.Outputs, text) {
			n.Outputs = append(n.Outputs, text)
		}
	}
}

// makes reports whether a step of a pipeline makes an output with a variant, as its own or as a rendition.
func (n *Node) makes(variant string) bool {
	return n.variant == variant || slices.ContainsFunc(n.Step.GetResize().GetRenditions(), func(r *imageflowv1.Rendition) bool {
		return r.GetVariant() == variant
	})
}
