package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/signedurl"
)

const signSummary = "prints signed URLs of images"

const signUsage = `Usage: imageflow sign [flags] KEY [NAME=VALUE ...]

Prints a URL by which anyone can get the image KEY of the gateway's bucket,
resized as the parameters say, until it expires:

  imageflow sign --base https://images.example uploads/cat.jpg preset=card

The first key of the environment's IMAGE_SIGNING_KEYS signs. The command does
not check that the image and the preset exist.

Flags:
`

func signURL(_ context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("sign", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		fmt.Fprint(out, signUsage)
		f.PrintDefaults()
	}
	base := f.String("base", "", "`URL` of the gateway, which begins the printed URL")
	in := f.Duration("in", 24*time.Hour, "time until the URL expires")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	parameters, err := signed(f.Args(), *in)
	if err == nil {
		err = checkBase(*base)
	}
	if err != nil {
		return err
	}
	config := role.Images{}
	if err := role.Load(&config); err != nil {
		return err
	}
	keys, err := config.URLKeys()
	if err == nil && keys == nil {
		err = errors.New("IMAGE_SIGNING_KEYS must be set")
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, strings.TrimSuffix(*base, "/")+keys.Sign(gateway.ImagesPath+f.Arg(0), parameters))
	return err
}

// checkBase returns an error for a text with which no URL of the gateway begins.
func checkBase(text string) error {
	u, err := url.Parse(text)
	if text == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !strings.ContainsAny(text, "?#") {
		return nil
	}
	return fmt.Errorf("--base is %.64q but must be an http or https URL without a query, such as https://images.example", text)
}

// signed returns the parameters of a URL for the key of an image and the texts NAME=VALUE after it.
func signed(args []string, in time.Duration) (url.Values, error) {
	if len(args) == 0 {
		return nil, errors.New("the KEY of an image is missing; see imageflow sign --help")
	}
	if err := gateway.CheckImageKey(args[0]); err != nil {
		return nil, fmt.Errorf("KEY is %.64q: %w", args[0], err)
	}
	if in <= 0 {
		return nil, fmt.Errorf("--in is %v but must be above 0: the URL would have expired", in)
	}
	parameters := url.Values{signedurl.Expires: {strconv.FormatInt(time.Now().Add(in).Unix(), 10)}}
	for _, text := range args[1:] {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == signedurl.Expires || name == signedurl.Signature {
			return nil, fmt.Errorf("%q is not the NAME=VALUE of a parameter; see imageflow sign --help", text)
		}
		parameters.Add(name, value)
	}
	return parameters, nil
}
