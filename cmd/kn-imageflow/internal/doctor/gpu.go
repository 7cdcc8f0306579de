package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"imageflow.dev/internal/processors"
)

const gpuResource = "nvidia.com/gpu"

// gpu compares the GPUs that detect's pods request with the GPUs of the nodes.
func (d *Doctor) gpu(ctx context.Context) (string, *finding) {
	pods, err := d.podsOf(ctx, processors.Detect.Host)
	if err != nil {
		return "", &finding{err.Error(), unread}
	}
	requesting := slices.DeleteFunc(pods, func(pod corev1.Pod) bool { return !requestsGPU(pod.Spec) })
	if len(requesting) == 0 {
		return "detect requests none", nil
	}
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
			"detect requests " + gpuResource + " but no node offers any, so its pod stays Pending", d.withoutGPU(ctx),
		}
	}
	for _, pod := range requesting {
		wanted := labels.SelectorFromSet(pod.Spec.NodeSelector)
		if !slices.ContainsFunc(offering, func(node corev1.Node) bool { return wanted.Matches(labels.Set(node.Labels)) }) {
			return "", &finding{
				fmt.Sprintf("%d node(s) offer %s, but none has the labels that detect's pod selects: %s", len(offering), gpuResource, wanted),
				"kubectl label node " + offering[0].Name + " --overwrite" + labelArguments(pod.Spec.NodeSelector) +
					"  # NVIDIA's GPU feature discovery sets such labels",
			}
		}
	}
	return fmt.Sprintf("%d node(s) offer %s", len(offering), gpuResource), nil
}

func requestsGPU(spec corev1.PodSpec) bool {
	return slices.ContainsFunc(spec.Containers, func(c corev1.Container) bool {
		_, ok := c.Resources.Limits[gpuResource]
		return ok
	})
}

func labelArguments(selector map[string]string) (text string) {
	for _, r := range labels.Set(selector).AsSelector().String() {
		if r == ',' {
			r = ' '
		}
		text += string(r)
	}
	return " " + text
}

// withoutGPU is the fix that runs detect on CPUs, as config/components/cpu does.
func (d *Doctor) withoutGPU(ctx context.Context) string {
	advice := "# add a node with a GPU and NVIDIA's device plugin; or run detect without a GPU, as config/components/cpu does:\n"
	s, err := d.Serving.ServingV1().Services(d.Namespace).Get(ctx, processors.Detect.Host, metav1.GetOptions{})
	if err != nil || len(s.Spec.Template.Spec.Containers) == 0 {
		return advice + deploy
	}
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
	text, _ := json.Marshal(patch) // only texts and numbers
	return advice + fmt.Sprintf("kubectl patch ksvc -n %s %s --type json -p '%s'", d.Namespace, processors.Detect.Host, text)
}
