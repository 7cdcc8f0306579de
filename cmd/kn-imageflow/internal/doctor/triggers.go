package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	if wrong := d.leftSubscribers(ctx); wrong != nil {
		return "", wrong
	}
	return strings.Join(names, ", "), nil
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
	listed = slices.DeleteFunc(listed, forConsole) // which the fix lists
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
