package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
	"imageflow.dev/cmd/kn-imageflow/internal/text"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// The secrets with tokens.
const (
	gatewayToken = "gateway-token"
	bridgeToken  = "bridge-token"
)

// askTimeout limits a call of a pod.
const askTimeout = 20 * time.Second

// tokens checks, by calls, that pods take the tokens in the secrets of the deployment. A pod reads them when it starts.
func (d *Doctor) tokens(ctx context.Context) (string, *finding) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	gateway, wrong := d.gatewayTakesToken(ctx)
	if wrong != nil {
		return "", wrong
	}
	bridge, wrong := d.bridgeTakesToken(ctx)
	return gateway + "; " + bridge, wrong
}

// tokenOf returns the value of a variable of a Service; empty if its secret is optional and does not exist.
func (d *Doctor) tokenOf(ctx context.Context, service, name string) (string, error) {
	s, err := d.Serving.ServingV1().Services(d.Namespace).Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return d.Value(ctx, variable(*s, name))
}

func (d *Doctor) gatewayTakesToken(ctx context.Context) (string, *finding) {
	token, err := d.tokenOf(ctx, gatewayService, "GATEWAY_TOKEN")
	if err != nil {
		return "the gateway is not checked: " + err.Error(), nil // another check reports it
	}
	if d.runningPod(ctx, gatewayService) == nil {
		return "the gateway is not checked, since no pod of it runs", nil
	}
	listPresets := func(token string) error {
		return d.askGateway(ctx, token, func(conn *grpc.ClientConn) error {
			_, err := imageflowv1.NewPipelineServiceClient(conn).ListPresets(ctx, &imageflowv1.ListPresetsRequest{})
			return err
		})
	}
	err = listPresets(token)
	isRefused := status.Code(err) == codes.Unauthenticated
	switch {
	case isRefused && token == "":
		return "", &finding{"the gateway's pods need a token, but there is no secret " + gatewayToken, d.restart(gatewayService)}
	case isRefused:
		return "", &finding{"the gateway refuses the token in secret " + gatewayToken + ": its pods began with another one",
			d.restart(gatewayService)}
	case err != nil:
		return "", &finding{"the gateway does not answer: " + status.Convert(err).Message(), d.describePods(gatewayService)}
	case token == "":
		return "the gateway needs none", nil
	case listPresets("") == nil:
		return "", &finding{"the gateway takes calls without a token: its pods began before secret " + gatewayToken + " was created",
			d.restart(gatewayService)}
	}
	return "the gateway takes the one in secret " + gatewayToken, nil
}

// askGateway calls a pod of the gateway through the API server.
func (d *Doctor) askGateway(ctx context.Context, token string, call func(*grpc.ClientConn) error) error {
	address, stop, err := d.pods.Forward(ctx, gatewayService)
	if err != nil {
		return err
	}
	defer stop()
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(cluster.Bearer(token)))
	if err != nil {
		return err
	}
	defer conn.Close()
	return call(conn)
}

// noUpload is a notification that a bridge ignores, whatever its token.
const noUpload = `{"Records":[{"eventName":"s3:ObjectRemoved:Delete"}]}`

func (d *Doctor) bridgeTakesToken(ctx context.Context) (string, *finding) {
	token, err := d.tokenOf(ctx, bridgeService, "BRIDGE_TOKEN")
	if err != nil {
		return "the bridge is not checked: " + err.Error(), nil // another check reports it
	}
	if d.runningPod(ctx, bridgeService) == nil {
		return "the bridge is not checked, since no pod of it runs", nil
	}
	code, err := d.notifyBridge(ctx, token)
	if err != nil {
		return "", &finding{"the bridge does not answer: " + err.Error(), d.describePods(bridgeService)}
	}
	if code == http.StatusUnauthorized {
		return "", &finding{"the bridge refuses the token in secret " + bridgeToken + ": its pods began with another one",
			d.restart(bridgeService) + "\n# MinIO's MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_IMAGEFLOW must have the same token"}
	}
	return "the bridge takes the one in secret " + bridgeToken, nil
}

func (d *Doctor) notifyBridge(ctx context.Context, token string) (code int, err error) {
	address, stop, err := d.pods.Forward(ctx, bridgeService)
	if err != nil {
		return 0, err
	}
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/notifications", strings.NewReader(noUpload))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	request.Close = true // before the forwarded port is
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// maxDeadLetters limits how many dead letters are counted.
const maxDeadLetters = 500

// deadLetters reports the dead letters that wait for someone.
func (d *Doctor) deadLetters(ctx context.Context) (string, *finding) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	token, err := d.tokenOf(ctx, gatewayService, "GATEWAY_TOKEN")
	if err != nil || d.runningPod(ctx, gatewayService) == nil {
		return "not known, since no pod of the gateway runs", nil
	}
	var page *imageflowv1.ListDeadLettersResponse
	err = d.askGateway(ctx, token, func(conn *grpc.ClientConn) (err error) {
		page, err = imageflowv1.NewExecutionServiceClient(conn).ListDeadLetters(ctx,
			&imageflowv1.ListDeadLettersRequest{PageSize: maxDeadLetters})
		return err
	})
	if err != nil {
		return "not known: " + status.Convert(err).Message(), nil // the checks of the store and of tokens report it
	}
	letters := page.GetDeadLetters()
	if len(letters) == 0 {
		return "none", nil
	}
	since, last := letters[0].GetFirstFailedAt().AsTime(), letters[0]
	for _, l := range letters {
		if first := l.GetFirstFailedAt().AsTime(); first.Before(since) {
			since = first
		}
		if l.GetLastFailedAt().AsTime().After(last.GetLastFailedAt().AsTime()) {
			last = l
		}
	}
	count := text.Count(len(letters), "dead letter")
	if page.GetNextPageToken() != "" {
		count = "more than " + count
	}
	fix := fmt.Sprintf("kn imageflow dead-letter list -n %s\n"+
		"kn imageflow dead-letter replay --all -n %[1]s  # after the causes are gone", d.Namespace)
	if token != "" {
		fix = "export GATEWAY_TOKEN=" + fromSecret(d.Namespace, gatewayToken, "token") + "\n" + fix
	}
	return "", &finding{fmt.Sprintf("%s, the oldest since %s; the last one is of execution %s: %s",
		count, since.Format(time.RFC3339), last.GetExecutionId(), last.GetReason()), fix}
}
