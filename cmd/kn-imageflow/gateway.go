package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// gatewayService is the Service whose pods serve the gateway.
const gatewayService = "grpc-gateway"

// tokenVariable has the token of the gateway.
const tokenVariable = "GATEWAY_TOKEN"

// asksGateway returns what a command runs: f with a client of the gateway.
func (o *options) asksGateway(f func(context.Context, imageflowv1.ExecutionServiceClient, []string) error) action {
	return func(ctx context.Context, args []string) error {
		conn, stop, err := o.connectGateway(ctx)
		if err != nil {
			return err
		}
		defer stop()
		return described(f(ctx, imageflowv1.NewExecutionServiceClient(conn), args))
	}
}

// connectGateway connects to the gateway at the given address or in one of its pods.
func (o *options) connectGateway(ctx context.Context) (conn *grpc.ClientConn, stop func(), err error) {
	address, transport, stopForward := "", insecure.NewCredentials(), func() {}
	if o.gateway != "" {
		address, transport, err = gatewayAddress(o.gateway)
	} else if clients, wrong := o.clients(); wrong != nil {
		err = fmt.Errorf("%w; or name the gateway with --gateway", wrong)
	} else if address, stopForward, err = clients.Forward(ctx, gatewayService); err != nil {
		err = fmt.Errorf("%w; name the gateway with --gateway", err)
	}
	if err != nil {
		return nil, nil, err
	}
	conn, err = grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(transport),
		grpc.WithPerRPCCredentials(cluster.Bearer(os.Getenv(tokenVariable))))
	return conn, func() {
		_ = conn.Close()
		stopForward()
	}, err
}

// gatewayAddress returns the host and port of a URL and how to connect to it.
func gatewayAddress(text string) (string, credentials.TransportCredentials, error) {
	u, err := url.Parse(text)
	port, transport := "", credentials.TransportCredentials(nil)
	switch {
	case err != nil || u.Host == "" || u.Path != "" && u.Path != "/":
	case u.Scheme == "http":
		port, transport = "80", insecure.NewCredentials()
	case u.Scheme == "https":
		port, transport = "443", credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	if transport == nil {
		return "", nil, fmt.Errorf("--gateway is %q but must be a URL without a path, such as https://images.example.com", text)
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port), transport, nil
}

// described says more about the error of a call.
func described(err error) error {
	s, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	switch s.Code() {
	case codes.Unauthenticated:
		return fmt.Errorf("the gateway refuses the token: %s; set %s", s.Message(), tokenVariable)
	case codes.Unimplemented:
		return fmt.Errorf("the gateway does not offer this: %s", s.Message())
	case codes.Unavailable:
		return fmt.Errorf("the gateway is unavailable: %s", s.Message())
	}
	return errors.New(s.Message())
}
