package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	messagingv1 "knative.dev/eventing/pkg/apis/messaging/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
	"imageflow.dev/internal/triggers"
)

func (d *Doctor) triggers(ctx context.Context) (string, *finding) {
	all, _, err := d.Triggers(ctx)
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	if len(all) == 0 {
		return "", &finding{"no Trigger exists, so no upload is processed", "kubectl apply -f eventing"}
	}
	var names, reasons, fixes []string
	for _, t := range all {
		names = append(names, t.Name)
		if reason := unready(t.Generation, t.Status.Status); reason != "" {
			reasons = append(reasons, t.Name+": "+reason)
			fixes = append(fixes, "kubectl describe trigger -n "+d.Namespace+" "+t.Name)
		}
	}
	if len(reasons) > 0 {
		return "", &finding{strings.Join(reasons, "\n"), strings.Join(fixes, "\n")}
	}
	left, err := d.leftSubscribers(ctx)
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	if len(left) > 0 {
		return "", &finding{
			"the broker's channel has subscribers without a Trigger: " + strings.Join(left, ", ") + "\nThe broker may answer 500 to " +
				"every event, or make a dead letter of each (Knative leaves such subscribers when several Triggers are deleted " +
				"at once, and when its OIDC is switched on or off)",
			"kubectl delete inmemorychannel -n " + d.Namespace + " " + brokerChannel + "  # the broker makes it again within seconds",
		}
	}
	return strings.Join(names, ", "), nil
}

// brokerChannel is the channel of the broker, if it is of the class with in-memory channels.
const brokerChannel = brokerName + "-kne-trigger"

// leftSubscribers returns the names of the subscribers of the broker's in-memory channel whose Subscription is gone. Each
// Trigger has one Subscription.
func (d *Doctor) leftSubscribers(ctx context.Context) (names []string, err error) {
	// The channel is read first: a Subscription exists before the channel has its subscriber.
	channel, err := d.Eventing.MessagingV1().InMemoryChannels(d.Namespace).Get(ctx, brokerChannel, metav1.GetOptions{})
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
			names = append(names, cmp.Or(ptr.Deref(s.Name, ""), string(s.UID)))
		}
	}
	return names, nil
}

// chains compares the Triggers that the gateway describes with those of the cluster.
func (d *Doctor) chains(ctx context.Context) (string, *finding) {
	const configMap = "triggers"
	fix := "kubectl get triggers.eventing.knative.dev -n " + d.Namespace + " -o yaml > triggers.yaml\n" +
		"kubectl delete configmap triggers -n " + d.Namespace + " --ignore-not-found\n" +
		"kubectl create configmap triggers -n " + d.Namespace + " --from-file triggers.yaml"
	_, all, err := d.Triggers(ctx)
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	all = slices.DeleteFunc(all, forConsole)
	config, err := d.Kube.CoreV1().ConfigMaps(d.Namespace).Get(ctx, configMap, metav1.GetOptions{})
	if err != nil {
		return "", &finding{"GET /v1/chains answers nothing: " + err.Error(), fix}
	}
	var files []triggers.File
	for _, key := range slices.Sorted(maps.Keys(config.Data)) {
		files = append(files, triggers.File{Name: path.Join(configMap, key), Text: []byte(config.Data[key])})
	}
	listed, err := triggers.Parse(files)
	if err != nil {
		return "", &finding{"configmap " + err.Error(), fix}
	}
	if differences := d.differences(listed, all); len(differences) > 0 {
		return "", &finding{"GET /v1/chains is not about the cluster's Triggers\n" + strings.Join(differences, "\n"), fix}
	}
	return "GET /v1/chains describes " + text.Count(len(all), "Trigger"), nil
}

// forConsole reports whether a Trigger sends events to the console, which is no part of a chain.
func forConsole(t triggers.Trigger) bool {
	return t.Spec.Subscriber.Ref != nil && t.Spec.Subscriber.Ref.Name == "console"
}

// differences describes how the Triggers in the ConfigMap differ from those of the cluster.
func (d *Doctor) differences(listed, all []triggers.Trigger) (found []string) {
	missing := map[string]triggers.Trigger{}
	for _, t := range listed {
		t.Metadata.Namespace = d.Namespace
		missing[t.Metadata.Name] = t
	}
	for _, t := range all {
		name := t.Metadata.Name
		if other, ok := missing[name]; !ok {
			found = append(found, name+" is not in the configmap triggers")
		} else if !t.IsLike(other) {
			found = append(found, name+" has another filter or subscriber in the configmap triggers")
		}
		delete(missing, name)
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		found = append(found, name+" is only in the configmap triggers")
	}
	return found
}

// webhooks checks the receivers of webhooks, and that each Trigger for notify names one.
func (d *Doctor) webhooks(ctx context.Context) (string, *finding) {
	_, all, err := d.Triggers(ctx)
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	all = slices.DeleteFunc(all, func(t triggers.Trigger) bool {
		return t.Spec.Subscriber.Ref == nil || t.Spec.Subscriber.Ref.Name != notifyService
	})
	services, err := d.allServices(ctx)
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	for _, s := range services {
		if s.Name != notifyService {
			continue
		}
		if wrong := d.hooksOf(ctx, s, all); wrong != nil {
			return "", wrong
		}
		if reason := unready(s.Generation, s.Status.Status); reason != "" {
			return "", &finding{"notify: " + reason + d.pending(ctx, s), d.describePods(notifyService)}
		}
		return fmt.Sprintf("notify is ready; Triggers that name a hook of it: %d", len(all)), nil
	}
	if len(all) == 0 {
		return "none", nil
	}
	return "", &finding{all[0].String() + ": there is no Service notify",
		"# add config/components/webhooks to your overlay, and deploy:\n" + deploy}
}

// presets checks the file of presets, and that each Trigger has parameters, presets and pipelines that the contract accepts.
func (d *Doctor) presets(ctx context.Context) (string, *finding) {
	set, wrong := d.presetSet(ctx)
	if wrong != nil {
		return "", wrong
	}
	_, all, err := d.Triggers(ctx)
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	var errs []error
	var fixes []string
	for _, t := range all {
		if err := checkStep(t, set); err != nil {
			errs = append(errs, fmt.Errorf("%s: spec.subscriber.uri: %w", t, err))
			fixes = append(fixes, d.editTrigger(t.Metadata.Name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		fixes = append(fixes, "# or add the preset or pipeline to the file of config/components/presets, and deploy")
		return "", &finding{err.Error(), strings.Join(fixes, "\n")}
	}
	known := set.List()
	return fmt.Sprintf("%s, %s; the Triggers' parameters are valid",
		text.Count(len(known.Presets), "preset"), text.Count(len(known.Pipelines), "pipeline")), nil
}

// query returns the parameters of a Trigger's step, and the name of the Service that takes them; empty if it has none.
func query(t triggers.Trigger) (service, parameters string) {
	uri, err := url.Parse(t.Spec.Subscriber.URI)
	if t.Spec.Subscriber.Ref == nil || err != nil {
		return "", ""
	}
	return t.Spec.Subscriber.Ref.Name, uri.RawQuery
}
