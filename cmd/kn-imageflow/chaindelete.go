package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

const deleteHelp = `Delete the Triggers of a chain that "chain apply" has made, the first step first, each when the one before
is gone. Delete one chain after the other: Knative may forget to end what it sends to Triggers that are deleted at once
(see "kn imageflow doctor").

Events on the way to a deleted Trigger become dead letters: delete a chain when its executions have ended.`

func newChainDelete(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "Delete a chain that apply has made", Long: deleteHelp, Args: cobra.ExactArgs(1),
		Example: "  kn imageflow chain delete shop",
		RunE: runs(func(ctx context.Context, args []string) error {
			clients, err := o.clients()
			if err != nil {
				return err
			}
			all, _, err := clients.Triggers(ctx)
			if err != nil {
				return err
			}
			var found []eventingv1.Trigger
			for _, t := range all {
				if args[0] != "" && t.Labels[chainLabel] == args[0] {
					found = append(found, t)
				}
			}
			if len(found) == 0 {
				names := cmp.Or(strings.Join(appliedNames(all), ", "), "none")
				return fmt.Errorf("this command has made no chain %q; it has made %s", args[0], names)
			}
			return o.deleteTriggers(ctx, clients, found)
		}),
	}
}

// appliedNames returns the names of the chains of which chain apply has made Triggers.
func appliedNames(all []eventingv1.Trigger) (names []string) {
	for _, t := range all {
		if name := t.Labels[chainLabel]; name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// deleteTriggers deletes Triggers, each when the one before is gone with its Subscription. Of Triggers that are deleted at once,
// Knative's in-memory channel can keep a subscriber, and then the broker makes a dead letter of each event. The same holds for
// one that is deleted while the Subscriptions of others are being made.
func (o *options) deleteTriggers(ctx context.Context, c *cluster.Clients, all []eventingv1.Trigger) error {
	if len(all) == 0 {
		return nil
	}
	if err := o.awaitReady(ctx, c); err != nil {
		return err
	}
	client := c.Eventing.EventingV1().Triggers(c.Namespace)
	for _, t := range all {
		err := client.Delete(ctx, t.Name, metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationForeground)})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		if err := o.awaitEnd(ctx, c, t); err != nil {
			return fmt.Errorf("trigger %s: %w", t.Name, err)
		}
		fmt.Fprintf(o.out, "trigger.eventing.knative.dev/%s deleted\n", t.Name)
	}
	return nil
}

// awaitReady waits until the Triggers that chain apply has made are ready, but not longer than settling.
func (o *options) awaitReady(ctx context.Context, c *cluster.Clients) error {
	soon, cancel := context.WithTimeout(ctx, o.settling)
	defer cancel()
	err := wait.PollUntilContextCancel(soon, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		all, _, err := c.Triggers(ctx)
		return err == nil && !slices.ContainsFunc(all, func(t eventingv1.Trigger) bool {
			isReady := t.Status.IsReady() && t.Status.ObservedGeneration == t.Generation
			return t.Labels[chainLabel] != "" && t.DeletionTimestamp == nil && !isReady
		}), err
	})
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// messageDelay is how long a deletion may take before a message says what the command waits for.
var messageDelay = 5 * time.Second

// awaitEnd waits until a Trigger that is being deleted is gone.
func (o *options) awaitEnd(ctx context.Context, c *cluster.Clients, t eventingv1.Trigger) error {
	messageTime, isSaid := time.Now().Add(messageDelay), false
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		now, err := c.Eventing.EventingV1().Triggers(c.Namespace).Get(ctx, t.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return true, nil
		case err == nil && now.UID == t.UID && !isSaid && time.Now().After(messageTime):
			isSaid = true
			fmt.Fprintf(o.errOut, "waiting until trigger %s is gone, which has the finalizers %s; if it stays, see\n"+
				"kubectl describe subscriptions.messaging.knative.dev -n %s -l eventing.knative.dev/trigger=%s\n",
				t.Name, strings.Join(now.Finalizers, ", "), c.Namespace, t.Name)
		}
		return err == nil && now.UID != t.UID, err
	})
	if ctx.Err() != nil {
		return fmt.Errorf("%w while it was being deleted; the same command continues", errInterrupted)
	}
	return err
}
