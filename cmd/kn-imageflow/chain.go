package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
	"imageflow.dev/internal/triggers"
)

func newChain(o *options) *cobra.Command {
	c := &cobra.Command{Use: "chain", Aliases: []string{"chains"}, Short: "Show, make and delete chains of steps, made of Triggers"}
	return group(c, newChainList(o), newChainDescribe(o), newChainApply(o), newChainDelete(o))
}

func newChainList(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List the chains that the cluster's Triggers make", Args: cobra.NoArgs,
		Example: "  kn imageflow chain list -o wide",
		Long:    "List the chains that the cluster's Triggers make. Pipelines of presets are not followed.",
	}
	p := addPrinter(c)
	c.RunE = runs(func(ctx context.Context, _ []string) error {
		clients, err := o.clients()
		if err != nil {
			return err
		}
		made, all, err := clients.Triggers(ctx)
		if err != nil {
			return err
		}
		r := &result{columns: []metav1.TableColumnDefinition{
			column("Name", false), column("Uploads", false), column("Steps", false), column("Problems", false), column("Broker", true),
		}}
		problems := triggers.Problems(all, nil)
		for _, chain := range triggers.Chains(all, nil) {
			r.rows = append(r.rows, []any{
				chain.Name, uploadsOf(chain), stepsOf(chain), len(problemsOf(chain, problems)), chain.Broker,
			})
		}
		for i := range made {
			r.objects = append(r.objects, &made[i])
		}
		return p.print(r, o)
	})
	return c
}

// uploadsOf returns which uploads begin a chain.
func uploadsOf(chain triggers.Chain) string {
	var found []string
	for _, s := range chain.Sources {
		keys := cmp.Or(s.Key, s.Prefix+"*"+s.Suffix)
		if s.Bucket != "" {
			keys = s.Bucket + "/" + keys
		}
		if n := len(s.Excluded); n > 0 {
			keys += " (without " + text.Count(n, "prefix") + ")"
		}
		found = append(found, keys)
	}
	return strings.Join(found, ", ")
}

// stepsOf returns the processors of a chain, in order.
func stepsOf(chain triggers.Chain) string {
	var names []string
	for _, n := range chain.Nodes {
		if n.Kind == triggers.StepNode {
			names = append(names, n.Processor)
		}
	}
	return strings.Join(names, ",")
}

// problemsOf returns the problems with a Trigger of the chain.
func problemsOf(chain triggers.Chain, all []triggers.Problem) (found []triggers.Problem) {
	for _, p := range all {
		if slices.ContainsFunc(chain.Nodes, func(n *triggers.Node) bool { return slices.Contains(p.Triggers, n.Trigger) }) {
			found = append(found, p)
		}
	}
	return found
}

func newChainDescribe(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "describe NAME", Short: "Draw a chain, with its outputs and problems", Args: cobra.ExactArgs(1),
		Example: "  kn imageflow chain describe chain",
		RunE: runs(func(ctx context.Context, args []string) error {
			clients, err := o.clients()
			if err != nil {
				return err
			}
			made, all, err := clients.Triggers(ctx)
			if err != nil {
				return err
			}
			chains := triggers.Chains(all, nil)
			i := slices.IndexFunc(chains, func(c triggers.Chain) bool { return c.Name == args[0] })
			if i < 0 {
				i = slices.IndexFunc(chains, func(c triggers.Chain) bool { return hasApplied(c, args[0], made) })
			}
			if i < 0 {
				return noChain(args[0], chains)
			}
			drawChain(&description{o.out}, chains[i], problemsOf(chains[i], triggers.Problems(all, nil)))
			return nil
		}),
	}
}

// hasApplied reports whether a chain has a Trigger that chain apply has made by a name. The chain has another name if it also
// has Triggers of another one, for the same uploads.
func hasApplied(chain triggers.Chain, name string, made []eventingv1.Trigger) bool {
	return slices.ContainsFunc(chain.Nodes, func(n *triggers.Node) bool {
		return slices.ContainsFunc(made, func(t eventingv1.Trigger) bool { return t.Name == n.Trigger && t.Labels[chainLabel] == name })
	})
}

// noChain is the error of a name that no chain has.
func noChain(name string, chains []triggers.Chain) error {
	var names []string
	for _, c := range chains {
		names = append(names, c.Name)
	}
	return fmt.Errorf("there is no chain %q; there are %s", name, cmp.Or(strings.Join(names, ", "), "none"))
}

// drawChain prints a chain as a tree. A node with several ways to it stands below each of them.
func drawChain(d *description, chain triggers.Chain, problems []triggers.Problem) {
	d.line("Chain", chain.Name)
	d.line("Broker", chain.Broker)
	d.line("Uploads", uploadsOf(chain))
	var draw func(from string, above []string)
	draw = func(from string, above []string) {
		for _, e := range chain.Edges {
			if e.From != from || slices.Contains(above, e.To) { // a loop, which is a problem
				continue
			}
			i := slices.IndexFunc(chain.Nodes, func(n *triggers.Node) bool { return n.ID == e.To })
			d.indented(len(above), nodeText(chain.Nodes[i]))
			if about := chain.Nodes[i].Description; about != "" {
				d.below(len(above), about)
			}
			draw(e.To, append(slices.Clone(above), e.To))
		}
	}
	draw("", nil)
	for _, p := range problems {
		d.line("Problem", p.Message)
	}
}

// nodeText describes a node in a line.
func nodeText(n *triggers.Node) string {
	line := n.ID + ": " + n.Subscriber + n.URI
	if len(n.Outputs) > 0 {
		line += " -> " + strings.Join(n.Outputs, ", ")
	}
	return line
}
