package gateway

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/triggers"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Chains describes the chains that Triggers make.
type Chains struct {
	// Read returns the manifests of the Triggers in force. It is called for each request.
	Read    func() ([]triggers.File, error)
	Presets *presets.Set
	// CheckStep returns an error if the processor at a Service would refuse all events with the parameters in this
	// query. Nil checks nothing.
	CheckStep func(service, query string) error

	mutex    sync.Mutex
	files    []triggers.File
	response *imageflowv1.ListChainsResponse // of these files; nil before the first request
}

// ListChains returns the chains of the Triggers in force.
func (x *Executions) ListChains(ctx context.Context, _ *imageflowv1.ListChainsRequest) (*imageflowv1.ListChainsResponse, error) {
	if x.Chains == nil {
		return nil, status.Error(codes.Unimplemented, "chains cannot be listed: TRIGGERS_PATH is not set for the gateway")
	}
	r, err := x.Chains.list()
	if err != nil {
		slog.WarnContext(ctx, "Triggers not read", "error", err)
		return nil, status.Error(codes.FailedPrecondition, "TRIGGERS_PATH of the gateway: "+err.Error())
	}
	return r, nil
}

// list returns the response of the last request unless the files have changed.
func (c *Chains) list() (*imageflowv1.ListChainsResponse, error) {
	files, err := c.Read()
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	isSame := func(a, b triggers.File) bool { return a.Name == b.Name && bytes.Equal(a.Text, b.Text) }
	if c.response != nil && slices.EqualFunc(files, c.files, isSame) {
		return c.response, nil
	}
	all, err := triggers.Parse(files)
	if err != nil {
		return nil, err
	}
	c.files, c.response = files, c.describe(all)
	return c.response, nil
}

func (c *Chains) describe(all []triggers.Trigger) *imageflowv1.ListChainsResponse {
	r := &imageflowv1.ListChainsResponse{}
	for _, chain := range triggers.Chains(all, c.Presets) {
		r.Chains = append(r.Chains, chainMessage(chain))
	}
	for _, p := range append(triggers.Problems(all, c.Presets), c.wrongParameters(all)...) {
		r.Problems = append(r.Problems, &imageflowv1.ChainProblem{
			Kind: problemKinds[p.Kind], Triggers: p.Triggers, Message: p.Message,
		})
	}
	return r
}

// wrongParameters returns the Triggers whose parameters a processor would refuse.
func (c *Chains) wrongParameters(all []triggers.Trigger) (problems []triggers.Problem) {
	for _, t := range all {
		ref := t.Spec.Subscriber.Ref
		if ref == nil || c.CheckStep == nil {
			continue
		}
		uri, err := url.Parse(t.Spec.Subscriber.URI)
		if err == nil {
			err = c.CheckStep(ref.Name, uri.RawQuery)
		}
		if err != nil {
			problems = append(problems, triggers.Problem{
				Kind: triggers.WrongParameters, Triggers: []string{t.Metadata.Name},
				Message: fmt.Sprintf("%s: spec.subscriber.uri: %v", t, err),
			})
		}
	}
	return problems
}

func chainMessage(c triggers.Chain) *imageflowv1.Chain {
	m := &imageflowv1.Chain{Name: c.Name, Broker: c.Broker}
	for _, s := range c.Sources {
		m.Sources = append(m.Sources, &imageflowv1.ChainSource{
			Type: s.Type, Bucket: s.Bucket, Prefix: s.Prefix, Suffix: s.Suffix, Key: s.Key,
			ExcludedPrefixes: s.Excluded, Conditions: s.Conditions,
		})
	}
	for _, n := range c.Nodes {
		node := &imageflowv1.ChainNode{
			Id: n.ID, Trigger: n.Trigger, Kind: nodeKinds[n.Kind], Subscriber: n.Subscriber, Uri: n.URI,
			Description: n.Description, Processor: n.Processor, Pipeline: n.Pipeline, Step: n.Step, Outputs: n.Outputs,
		}
		for _, leaf := range n.WaitsFor {
			node.WaitsFor = append(node.WaitsFor, leaf.String())
		}
		m.Nodes = append(m.Nodes, node)
	}
	for _, e := range c.Edges {
		m.Edges = append(m.Edges, &imageflowv1.ChainEdge{From: e.From, To: e.To, EventType: e.EventType})
	}
	return m
}

var nodeKinds = map[triggers.NodeKind]imageflowv1.ChainNodeKind{
	triggers.StepNode:       imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_STEP,
	triggers.CompletionNode: imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_COMPLETION,
	triggers.WebhookNode:    imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_WEBHOOK,
	triggers.OtherNode:      imageflowv1.ChainNodeKind_CHAIN_NODE_KIND_OTHER,
}

var problemKinds = map[triggers.ProblemKind]imageflowv1.ChainProblemKind{
	triggers.SameOutput:      imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_SAME_OUTPUT,
	triggers.MissingLeaf:     imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_MISSING_LEAF,
	triggers.WrongParameters: imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_PARAMETERS,
	triggers.UnawaitedLeaf:   imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_UNAWAITED_LEAF,
	triggers.UnknownStep:     imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_UNKNOWN_STEP,
	triggers.Unreached:       imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_UNREACHED,
	triggers.Loop:            imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_LOOP,
	triggers.Incomplete:      imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_INCOMPLETE,
}
