package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
	"imageflow.dev/internal/processors"
)

const gpuResource = "nvidia.com/gpu"

// gpu compares the GPUs that detect requests with the GPUs of the nodes.
func (d *Doctor) gpu(ctx context.Context) (string, *finding) {
	all, err := d.allServices(ctx)
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	i := slices.IndexFunc(all, func(s servingv1.Service) bool { return s.Name == processors.Detect.Host })
	if i < 0 || !requestsGPU(all[i].Spec.Template.Spec.PodSpec) {
		return "detect requests none", nil
	}
	selector := all[i].Spec.Template.Spec.NodeSelector
	nodes, err := d.Kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	offering := slices.DeleteFunc(nodes.Items, func(node corev1.Node) bool {
		n := node.Status.Allocatable[gpuResource]
		return n.IsZero()
	})
	if len(offering) == 0 {
		return "", &finding{
			"detect requests " + gpuResource + " but no node offers any, so its pod stays Pending", d.withoutGPU(all[i]),
		}
	}
	wanted := labels.SelectorFromSet(selector)
	if !slices.ContainsFunc(offering, func(node corev1.Node) bool { return wanted.Matches(labels.Set(node.Labels)) }) {
		return "", &finding{
			fmt.Sprintf("%s with %s, but none has the labels that detect selects: %s",
				text.Count(len(offering), "node"), gpuResource, wanted),
			"kubectl label node " + offering[0].Name + " --overwrite " + strings.ReplaceAll(wanted.String(), ",", " ") +
				"  # NVIDIA's GPU feature discovery sets such labels",
		}
	}
	return text.Count(len(offering), "node") + " with " + gpuResource, nil
}

func requestsGPU(spec corev1.PodSpec) bool {
	return slices.ContainsFunc(spec.Containers, func(c corev1.Container) bool {
		_, ok := c.Resources.Limits[gpuResource]
		return ok
	})
}

// withoutGPU is the fix that runs detect on CPUs, as config/components/cpu does.
func (d *Doctor) withoutGPU(s servingv1.Service) string {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value,omitempty"`
	}
	const spec = "/spec/template/spec/"
	patch := []operation{{Op: "remove", Path: spec + "containers/0/resources/limits/nvidia.com~1gpu"}}
	if len(s.Spec.Template.Spec.NodeSelector) > 0 {
		patch = append(patch, operation{Op: "remove", Path: spec + "nodeSelector"})
	}
	if len(s.Spec.Template.Spec.Tolerations) > 0 {
		patch = append(patch, operation{Op: "remove", Path: spec + "tolerations"})
	}
	for i, v := range s.Spec.Template.Spec.Containers[0].Env {
		if v.Name == "ONNXRUNTIME_PROVIDER" {
			patch = append(patch, operation{"replace", fmt.Sprintf("%scontainers/0/env/%d/value", spec, i), "cpu"})
		}
	}
	made, _ := json.Marshal(patch) // only texts and numbers
	return "# add a node with a GPU and NVIDIA's device plugin; or run detect without one, as config/components/cpu does:\n" +
		fmt.Sprintf("kubectl patch ksvc -n %s %s --type json -p '%s'", d.Namespace, processors.Detect.Host, made)
}
