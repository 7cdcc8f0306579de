package s3server

import (
	"errors"
	"reflect"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

const (
	// homeRegion is the region of the versitygw that listens.
	homeRegion = "us-east-1"
	// maxRegions bounds the memory that requests can take by their choice of regions, at about 150 KB for each.
	maxRegions = 64
)

// regions serves requests whatever region they are signed for: the region in a client's settings is often that of another
// service. A versitygw verifies signatures for one region only, so each region has one, on the same backend.
type regions struct {
	open     func(region string) (*s3api.S3ApiServer, error)
	mu       sync.Mutex
	handlers map[string]fasthttp.RequestHandler
}

// serve answers requests for other regions than homeRegion, and leaves the others to the handlers after it.
func (r *regions) serve(ctx fiber.Ctx) error {
	region := regionOf(ctx)
	if region == "" || region == homeRegion {
		return ctx.Next()
	}
	handler, err := r.handler(strings.Clone(region)) // fasthttp uses the buffer of a request again
	if err != nil {
		return err
	}
	handler(ctx.RequestCtx())
	return nil
}

// handler returns the handler of a region.
func (r *regions) handler(region string) (fasthttp.RequestHandler, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if handler := r.handlers[region]; handler != nil {
		return handler, nil
	}
	if len(r.handlers) == maxRegions {
		clear(r.handlers)
	}
	server, err := r.open(region)
	if err != nil {
		return nil, err
	}
	field := reflect.ValueOf(server).Elem().FieldByName("app") // versitygw can only listen with it
	if !field.IsValid() || field.Type() != reflect.TypeFor[*fiber.App]() {
		return nil, errors.New("versitygw has no fiber.App in the field app")
	}
	handler := (*fiber.App)(field.UnsafePointer()).Handler()
	r.handlers[region] = handler
	return handler, nil
}

// regionOf returns the region that a request is signed for, or "" if versitygw cannot read it.
func regionOf(ctx fiber.Ctx) string {
	if data, err := utils.ParseAuthorization(ctx.Get("Authorization")); err == nil {
		return data.Region
	}
	credential := ctx.Query("X-Amz-Credential")
	if form := formOf(ctx); form != nil {
		for name, values := range form.Value {
			if strings.EqualFold(name, "X-Amz-Credential") {
				credential = values[0]
			}
		}
	}
	if scope, err := utils.ParseCredentials(credential, s3err.PostAuth); err == nil {
		return scope.Region
	}
	return ""
}
