package main

import (
	"cmp"
	"context"
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
is gone.

Events in flight to a deleted Trigger become dead letters. Delete a chain after its executions have ended.`

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
			var names []string
			for _, t := range all {
				switch name := t.Labels[chainLabel]; {
				case name == "": // of no chain that apply has made
				case name == args[0]:
					found = append(found, t)
				case !slices.Contains(names, name):
					names = append(names, name)
				}
			}
			if len(found) == 0 {
				return fmt.Errorf("this command has made no chain %q; it has made %s", args[0], cmp.Or(strings.Join(names, ", "), "none"))
			}
			return o.deleteTriggers(ctx, clients, found)
		}),
	}
}

// deleteTriggers deletes Triggers, each when the one before is gone with its Subscription. Of Triggers that are deleted at once,
// Knative's in-memory channel can keep a subscriber, and then the broker makes a dead letter of each event.
func (o *options) deleteTriggers(ctx context.Context, c *cluster.Clients, all []eventingv1.Trigger) error {
	client := c.Eventing.EventingV1().Triggers(c.Namespace)
	for _, t := range all {
		err := client.Delete(ctx, t.Name, metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationForeground)})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
		err = wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			now, err := client.Get(ctx, t.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return true, nil
			}
			return err == nil && now.UID != t.UID, err
		})
		if err != nil {
			return fmt.Errorf("trigger %s: %w", t.Name, err)
		}
		fmt.Fprintf(o.out, "trigger.eventing.knative.dev/%s deleted\n", t.Name)
	}
	return nil
}
