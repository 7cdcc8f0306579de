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

// cluster reads a cluster through kubectl.
type cluster struct {
	kubectl, namespace string
	timeout            time.Duration // of all checks together
	deadline           time.Time
}

// object contains the fields of any Kubernetes object that the checks read.
type object struct {
	Metadata struct {
		Name                string
		Annotations, Labels map[string]string
	}
	Data map[string]string
	Spec struct {
		podSpec
		Template struct{ Spec podSpec } // of a Service
	}
	Status struct {
		URL         string
		Conditions  []condition
		Allocatable map[string]string
	}
}

type podSpec struct {
	NodeSelector map[string]string
	Containers   []struct {
		Resources    struct{ Limits map[string]string }
		Env          []variable
		VolumeMounts []struct{ Name, MountPath string }
	}
	Volumes []struct {
		Name      string
		ConfigMap struct{ Name string }
	}
}

type variable struct {
	Name, Value string
	ValueFrom   struct{ SecretKeyRef struct{ Name, Key string } }
}

// mounted is a file of a ConfigMap that a container sees.
type mounted struct{ configMap, key string }

// String describes the file, or that there is none.
func (m mounted) String() string {
	if m == (mounted{}) {
		return "no file"
	}
	return fmt.Sprintf("file %s of configmap %s", m.key, m.configMap)
}

type condition struct{ Type, Status, Reason, Message string }

type list struct{ Items []object }

// run runs kubectl. Its error is the last line that kubectl prints, since kubectl may
// log before it.
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

// unready returns why an object is not ready, or an empty text if it is ready.
func (o object) unready() string {
	i := slices.IndexFunc(o.Status.Conditions, func(c condition) bool { return c.Type == "Ready" })
	switch {
	case i < 0:
		return "no status yet"
	case o.Status.Conditions[i].Status == "True":
		return ""
	}
	ready := o.Status.Conditions[i]
	return strings.TrimSpace(strings.Join([]string{cmp.Or(ready.Reason, "not ready"), ready.Message}, " "))
}

// requestsGPU reports whether a container of the pod requests a GPU.
func (o object) requestsGPU() bool {
	for _, container := range o.Spec.Containers {
		if container.Resources.Limits[gpuResource] != "" {
			return true
		}
	}
	return false
}

// selects reports whether the node selector of a pod allows the node.
func (o object) selects(node object) bool {
	for name, value := range o.Spec.NodeSelector {
		if node.Metadata.Labels[name] != value {
			return false
		}
	}
	return true
}

// variable returns a variable of a Service's container; empty if there is none.
func (o object) variable(name string) variable {
	for _, container := range o.Spec.Template.Spec.Containers {
		if i := slices.IndexFunc(container.Env, func(v variable) bool { return v.Name == name }); i >= 0 {
			return container.Env[i]
		}
	}
	return variable{}
}

// file returns the file that a variable of a Service's container names; empty if it names none of a ConfigMap.
func (o object) file(variable string) mounted {
	path := o.variable(variable).Value
	for _, container := range o.Spec.Template.Spec.Containers {
		for _, mount := range container.VolumeMounts {
			key, isBelow := strings.CutPrefix(path, mount.MountPath+"/")
			for _, volume := range o.Spec.Template.Spec.Volumes {
				if isBelow && volume.Name == mount.Name {
					return mounted{volume.ConfigMap.Name, key}
				}
			}
		}
	}
	return mounted{}
}

// labels formats a node selector as arguments of kubectl label.
func labels(selector map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(selector)) {
		pairs = append(pairs, name+"="+selector[name])
	}
	return strings.Join(pairs, " ")
}

// allReady checks that the wanted objects of a kind exist in the namespace and that
// all objects of the kind are ready. why adds details about an object that is not.
func (c *cluster) allReady(
	ctx context.Context, kind string, wanted []string, why func(object) string,
) (good string, wrong []string) {
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
			wrong = append(wrong, name+" does not exist")
		}
	}
	return strings.Join(names, ", "), wrong
}
