package role

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/signedurl"
)

// imageTypes are the media types that IMAGE_FORMATS may name: those that a resize writes.
var imageTypes = []string{"image/avif", "image/webp", "image/jxl", "image/jpeg", "image/png", "image/gif", "image/tiff"}

// Images has the variables of images by signed URLs, GET /v1/images/KEY. Without a key there are none.
type Images struct {
	SigningKeys []string      `envconfig:"IMAGE_SIGNING_KEYS" desc:"keys of signed URLs of images, the first signs; empty: none"`
	Options     bool          `envconfig:"IMAGE_OPTIONS" default:"false" desc:"allow all parameters of resize in signed URLs"`
	Formats     []string      `envconfig:"IMAGE_FORMATS" default:"image/avif,image/webp" desc:"types for Accept, best first"`
	CacheAge    time.Duration `envconfig:"IMAGE_MAX_AGE" default:"1h" desc:"maximum time that caches keep an image by a signed URL"`
	Renders     int64         `envconfig:"MAX_IMAGE_RENDERS" default:"32" desc:"maximum number of such images being rendered"`
}

// URLKeys returns the keys, or nil if there are none. Its errors never show a key.
func (c Images) URLKeys() (*signedurl.Keys, error) {
	if len(c.SigningKeys) == 0 {
		return nil, nil
	}
	keys, err := signedurl.New(c.SigningKeys)
	if err != nil {
		return nil, fmt.Errorf("IMAGE_SIGNING_KEYS is not usable: %w", err)
	}
	return keys, nil
}

// validateImages checks the variables of images, if there is a key.
func (c *GatewayConfig) validateImages() error {
	keys, err := c.URLKeys()
	if keys == nil {
		return err
	}
	if c.Endpoint == "" {
		err = errors.New("IMAGE_SIGNING_KEYS needs MINIO_ENDPOINT")
	}
	if c.File == "" && !c.Images.Options {
		err = errors.Join(err, errors.New("IMAGE_SIGNING_KEYS needs PRESETS_FILE, whose presets URLs name, or IMAGE_OPTIONS=true"))
	}
	for _, name := range c.Formats {
		if !slices.Contains(imageTypes, name) {
			err = errors.Join(err, fmt.Errorf("IMAGE_FORMATS has %.64q but its types must be among %s",
				name, strings.Join(imageTypes, ", ")))
		}
	}
	return errors.Join(err, atLeast("IMAGE_MAX_AGE", c.CacheAge, 0), atLeast("MAX_IMAGE_RENDERS", c.Renders, 1))
}

// images returns the handler of signed URLs of images, or nil if there is no key. The pipeline has the connections.
func (c *GatewayConfig) images(p *gateway.Pipeline) (*gateway.Images, error) {
	keys, err := c.URLKeys()
	if keys == nil {
		return nil, err
	}
	return &gateway.Images{
		Keys: keys, Processors: p.Processors, Presets: p.Presets, AllowOptions: c.Images.Options, Store: p.Store,
		Bucket: c.Bucket, ReadFrom: c.ReadFrom, Formats: c.Formats, MaxAge: c.CacheAge, Timeout: c.Timeout,
		Budget: semaphore.NewWeighted(c.Renders),
	}, nil
}
