package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

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
	address, transport, forwarded := gatewayService, insecure.NewCredentials(), &forwardedGateway{}
	if o.gateway != "" {
		address, transport, err = gatewayAddress(o.gateway)
	} else if clients, wrong := o.clients(); wrong != nil {
		err = fmt.Errorf("%w; or name the gateway with --gateway", wrong)
	} else {
		forwarded, err = forwardGateway(ctx, clients.Forward)
	}
	if err != nil {
		return nil, nil, err
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport), grpc.WithPerRPCCredentials(cluster.Bearer(os.Getenv(tokenVariable))),
	}
	if o.gateway == "" {
		options = append(options, grpc.WithContextDialer(forwarded.dial))
	}
	conn, err = grpc.NewClient("passthrough:///"+address, options...)
	return conn, func() {
		_ = conn.Close()
		forwarded.stop()
	}, err
}

// gatewayAddress returns the host and port of a URL and how to connect to it.
func gatewayAddress(text string) (string, credentials.TransportCredentials, error) {
	u, err := parseServer("gateway", text, "give the token in "+tokenVariable)
	if err != nil {
		return "", nil, err
	}
	port, transport := "80", insecure.NewCredentials()
	if u.Scheme == "https" {
		port, transport = "443", credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port), transport, nil
}

// parseServer parses the URL of a server, which is the value of a flag. It refuses a user in it, whose password others on the
// machine could read; instead says where that belongs. No error has the password.
func parseServer(flag, value, instead string) (*url.URL, error) {
	u, err := url.Parse(value)
	switch {
	case strings.Contains(value, "@"):
		return nil, fmt.Errorf("--%s must be a URL without a user; %s", flag, instead)
	case err != nil, u.Host == "", u.Scheme != "http" && u.Scheme != "https", strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "":
		return nil, fmt.Errorf("--%s is %q but must be a URL without a path, such as https://host.example.com", flag, value)
	}
	return u, nil
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
	case codes.Canceled:
		return fmt.Errorf("the call of the gateway has ended: %w", context.Canceled)
	case codes.Unavailable:
		return fmt.Errorf("the gateway is unavailable: %s", s.Message())
	}
	return errors.New(s.Message())
}
