package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/printers"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
	"imageflow.dev/internal/triggers"
)

const applyHelp = `Make a chain of steps: a Trigger for each step, and one that records the end. Steps have the form of URLs, with
the parameters of the contract. Applied again, a chain is changed, and Triggers that it no longer has are deleted.

A chain that the contract refuses, or whose outputs would replace others', is refused before anything is changed.`

func newChainApply(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "apply NAME --step STEP...",
		Short: "Make or change a chain",
		Long:  applyHelp,
		Example: `  kn imageflow chain apply shop --prefix shop/ --step 'resize?target_width=800' --step detect
  kn imageflow chain apply shop --prefix shop/ --step 'resize?preset=thumb' --dry-run > shop.yaml`,
		Args: cobra.ExactArgs(1),
	}
	plan, steps, dryRun := &chainPlan{}, []string(nil), false
	flags := c.Flags()
	flags.StringArrayVar(&steps, "step", nil, "`step` such as 'resize?target_width=800'; once for each step, in order")
	flags.StringVar(&plan.prefix, "prefix", "", "take uploads whose key begins with `PREFIX` (default all)")
	flags.StringVar(&plan.broker, "broker", "default", "`name` of the broker, which a chain keeps")
	flags.BoolVar(&dryRun, "dry-run", false, "print the Triggers as YAML and change nothing")
	_ = c.MarkFlagRequired("step")
	c.RunE = runs(func(ctx context.Context, args []string) error {
		plan.name, plan.namespace = args[0], o.cluster.Namespace
		for _, text := range steps {
			s, err := parseStep(text)
			if err != nil {
				return err
			}
			plan.steps = append(plan.steps, s)
		}
		if err := plan.check(); err != nil {
			return err
		}
		if dryRun {
			return printYAML(o, plan.triggers())
		}
		clients, err := o.clients()
		if err != nil {
			return err
		}
		return o.applyChain(ctx, clients, plan)
	})
	return c
}

// printYAML prints Triggers as a file that kubectl apply takes, if they make a chain that works.
func printYAML(o *options, made []*eventingv1.Trigger) error {
	if err := checkChain(nil, made); err != nil {
		return err
	}
	p := &printers.YAMLPrinter{}
	for _, t := range made {
		if err := p.PrintObj(t, o.data); err != nil {
			return err
		}
	}
	return nil
}

// accepted are the problems with which a new chain is made: those of steps beside it that are not known here.
var accepted = []triggers.ProblemKind{triggers.UnknownStep, triggers.Incomplete}

// checkChain returns an error if Triggers would not work with the ones that stay beside them.
func checkChain(beside []eventingv1.Trigger, made []*eventingv1.Trigger) error {
	all, names := slices.Clone(beside), []string(nil)
	for _, t := range made {
		all, names = append(all, *t), append(names, t.Name)
	}
	read, err := cluster.ReadTriggers(all)
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range triggers.Problems(read, nil) {
		isOfMade := slices.ContainsFunc(p.Triggers, func(name string) bool { return slices.Contains(names, name) })
		if isOfMade && !slices.Contains(accepted, p.Kind) {
			errs = append(errs, p)
		}
	}
	return errors.Join(errs...)
}

// others returns the Triggers beside the chain, and the old ones of the chain that it no longer has. It returns an error if the
// chain may not be made beside them.
func (c *chainPlan) others(found []eventingv1.Trigger, made []*eventingv1.Trigger) (beside, old []eventingv1.Trigger, err error) {
	for _, t := range found {
		isMade := slices.ContainsFunc(made, func(m *eventingv1.Trigger) bool { return m.Name == t.Name })
		switch isOfChain := t.Labels[chainLabel] == c.name; {
		case isMade && !isOfChain:
			return nil, nil, fmt.Errorf("trigger %s exists and is not of a chain that this command has made; take another name", t.Name)
		case isOfChain && t.Spec.Broker != c.broker: // which Knative lets nobody change
			return nil, nil, fmt.Errorf("chain %s is of the broker %s, and not of %s: kn imageflow chain delete %[1]s first, or name its "+
				"broker with --broker", c.name, t.Spec.Broker, c.broker)
		case isOfChain && !isMade:
			old = append(old, t)
		case !isOfChain:
			beside = append(beside, t)
		}
	}
	return beside, old, nil
}

// applyChain makes the Triggers of a chain and deletes those of an earlier version that it no longer has.
func (o *options) applyChain(ctx context.Context, c *cluster.Clients, plan *chainPlan) error {
	found, _, err := c.Triggers(ctx)
	if err != nil {
		return err
	}
	made := plan.triggers()
	beside, old, err := plan.others(found, made)
	if err != nil {
		return err
	}
	if err := errors.Join(checkChain(beside, made), checkBroker(ctx, c, plan.broker)); err != nil {
		return err
	}
	// The old Triggers go last, so that uploads go on, unless the new ones do not work beside them.
	if checkChain(slices.Concat(beside, old), made) != nil {
		if err := o.deleteTriggers(ctx, c, old); err != nil {
			return err
		}
		old = nil
	}
	var errs []error
	for _, t := range made {
		if err := o.applyTrigger(ctx, c, t); err != nil {
			errs = append(errs, fmt.Errorf("trigger %s: %w", t.Name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return o.deleteTriggers(ctx, c, old)
}

// checkBroker returns an error if there is no broker with a name. Other errors do not show that: who may not read brokers may
// still make Triggers.
func checkBroker(ctx context.Context, c *cluster.Clients, name string) error {
	_, err := c.Eventing.EventingV1().Brokers(c.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("there is no broker %q in %s, and Triggers would wait for it: name another one with --broker, or make it "+
			"with kn broker create %[1]s -n %[2]s", name, c.Namespace)
	}
	return nil
}

// applyTrigger creates a Trigger or changes the one with its name, after the end of one that is being deleted. What others have
// added to it, such as an audience for OIDC, stays.
func (o *options) applyTrigger(ctx context.Context, c *cluster.Clients, t *eventingv1.Trigger) error {
	client, word := c.Eventing.EventingV1().Triggers(c.Namespace), "configured"
	now, err := client.Get(ctx, t.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		word = "created"
		_, err = client.Create(ctx, t, metav1.CreateOptions{})
	case err == nil && now.DeletionTimestamp != nil:
		if err := o.awaitEnd(ctx, c, *now); err != nil {
			return err
		}
		return o.applyTrigger(ctx, c, t)
	case err == nil:
		now.Spec.Filter, now.Spec.Filters = nil, t.Spec.Filters
		now.Spec.Subscriber.Ref, now.Spec.Subscriber.URI = t.Spec.Subscriber.Ref, t.Spec.Subscriber.URI
		metav1.SetMetaDataAnnotation(&now.ObjectMeta, triggers.DescriptionAnnotation, t.Annotations[triggers.DescriptionAnnotation])
		_, err = client.Update(ctx, now, metav1.UpdateOptions{})
	}
	if err == nil {
		fmt.Fprintf(o.out, "trigger.eventing.knative.dev/%s %s\n", t.Name, word)
	}
	return err
}
