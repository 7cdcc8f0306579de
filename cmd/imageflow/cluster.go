package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// cluster is what kubectl shows.
type cluster struct {
	kubectl, namespace string
	patience           time.Duration
	deadline           time.Time
}

// object is the part of any Kubernetes object that is looked at here.
type object struct {
	Metadata struct {
		Name                string
		Annotations, Labels map[string]string
	}
	Data map[string]string
	Spec struct {
		NodeSelector map[string]string
		Containers   []struct {
			Resources struct{ Limits map[string]string }
		}
	}
	Status struct {
		URL         string
		Conditions  []condition
		Allocatable map[string]string
	}
}

type condition struct{ Type, Status, Reason, Message string }

type list struct{ Items []object }

// run runs kubectl. Its error is the last line of what kubectl says, before
// which it may log.
func (c *cluster) run(ctx context.Context, args ...string) ([]byte, error) {
	var out, wrong bytes.Buffer
	cmd := exec.CommandContext(ctx, c.kubectl, args...)
	cmd.Stdout, cmd.Stderr = &out, &wrong
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(wrong.String())
		return nil, errors.New(cmp.Or(said[strings.LastIndexByte(said, '\n')+1:], err.Error()))
	}
	return out.Bytes(), nil
}

// get reads objects; into is an *object or a *list.
func (c *cluster) get(ctx context.Context, into any, args ...string) error {
	text, err := c.run(ctx, append(append([]string{"get"}, args...), "--output", "json")...)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// unready tells why an object is not ready; empty when it is.
func (o object) unready() string {
	i := slices.IndexFunc(o.Status.Conditions, func(c condition) bool { return c.Type == "Ready" })
	switch {
	case i < 0:
		return "nothing is said of it yet"
	case o.Status.Conditions[i].Status == "True":
		return ""
	}
	ready := o.Status.Conditions[i]
	return strings.TrimSpace(strings.Join([]string{cmp.Or(ready.Reason, "not ready"), ready.Message}, " "))
}

// asksForGPU tells whether a container of the pod is to have a GPU.
func (o object) asksForGPU() bool {
	for _, container := range o.Spec.Containers {
		if container.Resources.Limits[gpuResource] != "" {
			return true
		}
	}
	return false
}

// selects tells whether a pod's node selector allows the node.
func (o object) selects(node object) bool {
	for name, value := range o.Spec.NodeSelector {
		if node.Metadata.Labels[name] != value {
			return false
		}
	}
	return true
}

// labels writes them as kubectl label takes them.
func labels(selector map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(selector)) {
		pairs = append(pairs, name+"="+selector[name])
	}
	return strings.Join(pairs, " ")
}

// allReady checks objects of a kind in the namespace: that the wanted ones are
// there, and that all are ready. why adds what is known of one that is not.
func (c *cluster) allReady(ctx context.Context, kind string, wanted []string, why func(object) string) (good string, wrong []string) {
	var found list
	if err := c.get(ctx, &found, kind, "--namespace", c.namespace); err != nil {
		return "", []string{err.Error()}
	}
	names := []string{}
	for _, o := range found.Items {
		names = append(names, o.Metadata.Name)
		if reason := o.unready(); reason != "" {
			wrong = append(wrong, fmt.Sprintf("%s: %s%s", o.Metadata.Name, reason, why(o)))
		}
	}
	for _, name := range wanted {
		if !slices.Contains(names, name) {
			wrong = append(wrong, name+" is not there")
		}
	}
	return strings.Join(names, ", "), wrong
}
