package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"
)

// channelOf returns the name of the channel of a broker, if that is of the class with in-memory channels.
func channelOf(broker string) string { return broker + "-kne-trigger" }

// leftSubscribers finds the brokers whose in-memory channels have subscribers without a Trigger; nil if there are none.
func (d *Doctor) leftSubscribers(ctx context.Context) *finding {
	brokers, err := d.Eventing.EventingV1().Brokers(d.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return &finding{err.Error(), unread}
	}
	var reasons, fixes []string
	for _, b := range brokers.Items {
		left, err := d.leftSubscribersOf(ctx, channelOf(b.Name))
		if len(left) > 0 { // or a Trigger has gone between the two calls
			left, err = d.leftSubscribersOf(ctx, channelOf(b.Name))
		}
		if err != nil {
			return &finding{err.Error(), unread}
		}
		if len(left) > 0 {
			reasons = append(reasons, fmt.Sprintf("the channel of the broker %s has subscribers without a Trigger: %s",
				b.Name, strings.Join(left, ", ")))
			fixes = append(fixes, fmt.Sprintf("kubectl delete inmemorychannel -n %s %s  # the broker makes it again within seconds",
				d.Namespace, channelOf(b.Name)))
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return &finding{strings.Join(reasons, "\n") + "\nThe broker may answer 500 to every event, or make a dead letter of each " +
		"(Knative leaves such subscribers when several Triggers are deleted at once, and when its OIDC is switched on or off)",
		strings.Join(fixes, "\n")}
}

// leftSubscribersOf returns the names of the subscribers of an in-memory channel whose Subscription is gone. Each Trigger has one
// Subscription.
func (d *Doctor) leftSubscribersOf(ctx context.Context, name string) (left []string, err error) {
	// The channel is read first: a Subscription exists before the channel has its subscriber.
	channel, err := d.Eventing.MessagingV1().InMemoryChannels(d.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) { // the broker is of another class
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	subscriptions, err := d.Eventing.MessagingV1().Subscriptions(d.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for _, s := range channel.Spec.Subscribers {
		isOf := func(n messagingv1.Subscription) bool { return n.UID == s.UID }
		if !slices.ContainsFunc(subscriptions.Items, isOf) {
			left = append(left, cmp.Or(ptr.Deref(s.Name, ""), string(s.UID)))
		}
	}
	return left, nil
}
