package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"imageflow.dev/internal/triggers"
)

// allTriggers returns the Triggers in the namespace.
func (c *cluster) allTriggers(ctx context.Context) ([]triggers.Trigger, error) {
	var found struct{ Items []triggers.Trigger }
	text, err := c.run(ctx, "get", "triggers.eventing.knative.dev", "--namespace", c.namespace, "--output", "json")
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	return found.Items, err
}

// editTrigger is the fix of a wrong Trigger.
func (c *cluster) editTrigger() string { return "kubectl edit trigger -n " + c.namespace + " NAME" }

// names finds Triggers that would overwrite each other's outputs.
func (c *cluster) names(ctx context.Context) (string, *finding) {
	all, err := c.allTriggers(ctx)
	if err != nil {
		return "", &finding{err.Error(), readFirst}
	}
	set, _ := c.presetSet(ctx) // the check of presets reports its problems
	if err := triggers.Check(triggers.Expand(all, set)); err != nil {
		return "", &finding{err.Error(), c.editTrigger()}
	}
	return "no two Triggers write the same name", nil
}

// chains compares the Triggers that the gateway describes with those of the cluster.
func (c *cluster) chains(ctx context.Context) (string, *finding) {
	const configMap = "triggers"
	fix := "kubectl get triggers.eventing.knative.dev -n " + c.namespace + " -o yaml > triggers.yaml\n" +
		"kubectl create configmap triggers -n " + c.namespace +
		" --from-file triggers.yaml --dry-run=client -o yaml | kubectl apply -f -"
	all, err := c.allTriggers(ctx)
	if err != nil {
		return "", &finding{err.Error(), readFirst}
	}
	all = slices.DeleteFunc(all, forConsole)
	var config object
	if err := c.get(ctx, &config, "configmap", configMap, "--namespace", c.namespace); err != nil {
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
	if differences := c.differences(listed, all); len(differences) > 0 {
		return "", &finding{"GET /v1/chains is not about the cluster's Triggers\n" + strings.Join(differences, "\n"), fix}
	}
	return fmt.Sprintf("GET /v1/chains describes %d Triggers", len(all)), nil
}

// forConsole reports whether a Trigger sends events to the console, which is no part of a chain.
func forConsole(t triggers.Trigger) bool {
	return t.Spec.Subscriber.Ref != nil && t.Spec.Subscriber.Ref.Name == "console"
}

// differences describes how the Triggers in the ConfigMap differ from those of the cluster.
func (c *cluster) differences(listed, all []triggers.Trigger) (found []string) {
	missing := map[string]triggers.Trigger{}
	for _, t := range listed {
		t.Metadata.Namespace = c.namespace
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
