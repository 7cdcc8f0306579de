package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	// chainLimit bounds the time to ask the gateway for the chains.
	chainLimit = 3 * time.Second
	chainView  = "chain"
)

// chainPage is the data of the page of chains.
type chainPage struct {
	Chains   []*chainDrawing
	Problems []chainProblem
	// Minutes is how far the figures look back.
	Minutes int
	// Version changes when the chains do, but not when their figures do.
	Version string
	Failed  string // why there are no chains
	// events are the drawing and the list of each chain, as server-sent events.
	events []string
}

// chainProblem is what is wrong about Triggers.
type chainProblem struct {
	Kind, Message string
	Triggers      []string
	// IsShown means that a chain has a node of one of the Triggers.
	IsShown bool
}

var chainProblemNames = map[imageflowv1.ChainProblemKind]string{
	imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_SAME_OUTPUT:    "Two Triggers write one name",
	imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_MISSING_LEAF:   "Waits for an output that nobody makes",
	imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_UNAWAITED_LEAF: "Nobody waits for this output",
	imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_UNKNOWN_STEP:   "Nobody answers",
	imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_PARAMETERS:     "Wrong parameters",
	imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_UNREACHED:      "No event comes here",
	imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_LOOP:           "Loop",
	imageflowv1.ChainProblemKind_CHAIN_PROBLEM_KIND_INCOMPLETE:     "Too many ways to follow all",
}

// chain shows the chains of the Triggers in force, with the figures of the last minutes.
func (s *Console) chain(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), chainLimit)
	defer cancel()
	if err := s.drawChains(ctx); err != nil {
		s.show(w, r, httpStatus(err), "chain", "Chain", &chainPage{Failed: reasonOf(err)})
		return
	}
	s.chainsAsked.note()
	s.show(w, r, http.StatusOK, "chain", "Chain", s.chains.Load())
}

// drawChains sets the chains as they are now.
func (s *Console) drawChains(ctx context.Context) error {
	all, err := s.config.Executions.ListChains(ctx, &imageflowv1.ListChainsRequest{})
	if err != nil {
		return err
	}
	page := newChainPage(all)
	samples := s.feed.recent(windowSpan)
	for _, c := range page.Chains {
		c.fill(samples)
		page.events = append(page.events, s.chainText(c))
	}
	s.chains.Store(page)
	return nil
}

// newChainPage draws chains without figures.
func newChainPage(all *imageflowv1.ListChainsResponse) *chainPage {
	text, _ := proto.MarshalOptions{Deterministic: true}.Marshal(all) // it was just unmarshaled
	digest := sha256.Sum256(text)
	page := &chainPage{Minutes: int(windowSpan.Minutes()), Version: hex.EncodeToString(digest[:8])}
	for _, c := range all.GetChains() {
		page.Chains = append(page.Chains, drawChain(c, all.GetProblems()))
	}
	for _, p := range all.GetProblems() {
		named := func(n *chainNode) bool { return slices.Contains(p.GetTriggers(), n.Trigger) }
		page.Problems = append(page.Problems, chainProblem{
			Kind: chainProblemNames[p.GetKind()], Message: p.GetMessage(), Triggers: p.GetTriggers(),
			IsShown: slices.ContainsFunc(page.Chains, func(c *chainDrawing) bool { return slices.ContainsFunc(c.Nodes, named) }),
		})
	}
	return page
}

// Live returns the URL of the page's live updates.
func (p *chainPage) Live() string {
	return livePath + "?" + url.Values{"view": {chainView}, "version": {p.Version}}.Encode()
}

// chainEvents returns what a page with a version of the chains must show now, as server-sent events: the drawing and the list of
// each chain, or that it loads itself again since the chains have changed. There are none if the gateway does not answer.
func (s *Console) chainEvents(version string) []string {
	if !s.chainsAsked.ask() {
		return nil
	}
	page := s.chains.Load()
	if page.Version != version {
		return []string{reloadEvent}
	}
	return page.events
}

// chainText returns the drawing and the list of a chain as server-sent events.
func (s *Console) chainText(c *chainDrawing) string {
	var b bytes.Buffer
	for _, part := range []string{"drawing", "list"} {
		html, err := s.part("chain", part, c)
		if err == nil {
			fmt.Fprintf(&b, "data: %s\n\n", html)
		}
	}
	return b.String()
}
