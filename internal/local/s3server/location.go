package s3server

import (
	"bytes"
	"encoding/xml"
	"net/http"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/metrics"
	"github.com/versity/versitygw/s3api/controllers"
	"github.com/versity/versitygw/s3response"
)

// anyLocation returns a handler that creates a bucket at whatever location it is asked for, of which the server has one.
// versitygw refuses every location but its region, after it has verified the request: create gets that request without one.
func anyLocation(create controllers.Controller) fiber.Handler {
	refusal := []byte("<Code>InvalidLocationConstraint</Code>")
	return func(ctx fiber.Ctx) error {
		err := ctx.Next()
		if err != nil || ctx.Method() != http.MethodPut || ctx.Response().StatusCode() != http.StatusBadRequest ||
			!bytes.Contains(ctx.Response().Body(), refusal) {
			return err
		}
		var asked s3response.CreateBucketConfiguration
		if err := xml.Unmarshal(ctx.BodyRaw(), &asked); err != nil {
			return err
		}
		asked.LocationConstraint = nil
		config, err := xml.Marshal(asked)
		if err != nil {
			return err
		}
		ctx.Request().SetBody(config)
		ctx.Response().Reset()
		return controllers.ProcessController(ctx, create, metrics.ActionCreateBucket, &controllers.Services{})
	}
}
