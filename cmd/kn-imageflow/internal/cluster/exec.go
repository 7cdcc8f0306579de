package cluster

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
)

// Exec runs a command in a container of a pod and returns what it prints. The error of a command that fails is what it prints
// as errors.
func (c *Clients) Exec(ctx context.Context, pod, container string, command ...string) (string, error) {
	options := &corev1.PodExecOptions{Container: container, Command: command, Stdout: true, Stderr: true}
	request := c.Kube.CoreV1().RESTClient().Post().Resource("pods").Namespace(c.Namespace).Name(pod).SubResource("exec").
		VersionedParams(options, scheme.ParameterCodec)
	websocket, err := remotecommand.NewWebSocketExecutor(c.Config, http.MethodGet, request.URL().String())
	if err != nil {
		return "", err
	}
	bySPDY, err := remotecommand.NewSPDYExecutor(c.Config, http.MethodPost, request.URL())
	if err != nil {
		return "", err
	}
	executor, err := remotecommand.NewFallbackExecutor(websocket, bySPDY, needsSPDY)
	if err != nil {
		return "", err
	}
	var out, wrong bytes.Buffer
	if err := executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &wrong}); err != nil {
		return "", errors.New(cmp.Or(strings.TrimSpace(wrong.String()), err.Error()))
	}
	return strings.TrimSpace(out.String()), nil
}

// needsSPDY reports whether the API server, or a proxy before it, speaks no websocket.
func needsSPDY(err error) bool {
	return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
}
