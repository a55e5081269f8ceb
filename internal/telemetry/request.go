package telemetry

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/outcrop-ai/outcrop/internal/account"
	"github.com/outcrop-ai/outcrop/llm"
)

// requestMessage is the message of a request's line.
const requestMessage = "request"

// maxFields is how many fields a request's line can have.
const maxFields = 45

// RequestLine writes the one line that every request leaves. Its level is info when the client got its answer or an
// error of its own making, warn when AWS or the gateway failed it, error when the gateway is at fault. Fields that say
// nothing are left out.
func RequestLine(logger *slog.Logger, r account.Record) {
	ctx, level := context.Background(), levelOf(&r)
	h := logger.Handler()
	if !h.Enabled(ctx, level) {
		return
	}
	var fields fieldList
	fields.request(&r)
	// A handler's error is that of its writer; there is no other place to tell it.
	if own, ok := h.(*handler); ok {
		_ = own.event(ctx, r.End, level, requestMessage, fields.list[:fields.n])
	} else {
		_ = event(ctx, h, r.End, level, requestMessage, fields.list[:fields.n])
	}
}

func levelOf(r *account.Record) slog.Level {
	switch {
	case !r.Failed():
		return slog.LevelInfo
	case r.ErrorKind == account.KindName(llm.KindInternal):
		return slog.LevelError
	case r.Status == http.StatusOK, r.Status >= http.StatusInternalServerError:
		if r.ClientClosed {
			return slog.LevelInfo
		}
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

// fieldList collects attributes on the stack.
type fieldList struct {
	list [maxFields]slog.Attr
	n    int
}

func (f *fieldList) add(a slog.Attr) {
	f.list[f.n] = a
	f.n++
}

func (f *fieldList) text(name, value string) {
	if value != "" {
		f.add(slog.String(name, value))
	}
}

func (f *fieldList) count(name string, value int64) {
	if value != 0 {
		f.add(slog.Int64(name, value))
	}
}

func (f *fieldList) flag(name string, value bool) {
	if value {
		f.add(slog.Bool(name, true))
	}
}

func (f *fieldList) seconds(name string, d time.Duration) {
	if d != 0 {
		f.add(slog.Float64(name, d.Seconds()))
	}
}

func (f *fieldList) millis(name string, d time.Duration) {
	f.add(slog.Float64(name, float64(d.Microseconds())/1000))
}

func (f *fieldList) request(r *account.Record) {
	f.text(FieldCallID, r.CallID)
	f.text(FieldRequestID, r.RequestID)
	f.text(FieldPath, r.Path)
	f.text(FieldType, r.Type)
	f.add(slog.Int(FieldStatus, r.Status))
	f.text(FieldError, r.ErrorKind)
	f.text(FieldErrorCode, r.ErrorCode)
	f.text(FieldAWSException, r.AWSException)
	f.text(FieldMessage, r.Message)
	f.text(FieldModel, r.Asked)
	if r.Group != r.Asked {
		f.text(FieldGroup, r.Group)
	}
	f.text(FieldDeployment, r.Deployment)
	f.text(FieldTries, r.Tries)
	f.text(FieldUpstreamModel, r.Model)
	f.text(FieldRegion, r.Region)
	f.text(FieldRoute, r.Route)
	f.text(FieldTier, r.Tier)
	f.text(FieldKeyHash, r.KeyHash)
	f.text(FieldUser, r.User)
	if len(r.Tags) > 0 {
		f.text(FieldTags, strings.Join(r.Tags, ","))
	}
	if r.UsageSource != account.UsageNone {
		f.add(slog.Int64(FieldPromptTokens, r.Usage.Prompt()))
		f.add(slog.Int64(FieldCompletionTokens, r.Usage.Output))
		f.count(FieldCacheReadTokens, r.Usage.CacheRead)
		f.count(FieldCacheWriteTokens, r.Usage.CacheWrite())
		f.count(FieldReasoningTokens, r.Usage.Reasoning)
		f.seconds(FieldVideoIn, r.Usage.VideoIn)
		f.seconds(FieldAudioIn, r.Usage.AudioIn)
		f.seconds(FieldVideoMade, r.Usage.VideoMade)
		f.count(FieldSearches, r.Usage.Searches)
		f.text(FieldUsageSource, r.UsageSource.String())
	}
	switch {
	case r.CostKnown:
		f.add(slog.Float64(FieldCost, account.Amount(r.Cost).Dollars()))
	case r.UsageSource != account.UsageNone:
		f.flag(FieldCostUnknown, true)
	}
	f.flag(FieldStream, r.Stream)
	f.flag(FieldClientClosed, r.ClientClosed)
	if len(r.Losses) > 0 {
		f.text(FieldLosses, losses(r.Losses))
	}
	f.text(FieldAWSRequestID, r.AWSRequestID)
	f.millis(FieldDuration, r.End.Sub(r.Start))
	if !r.FirstToken.IsZero() {
		f.millis(FieldFirstToken, r.FirstToken.Sub(r.Start))
	}
	f.millis(FieldUpstream, r.Upstream)
	f.millis(FieldOwn, r.Own)
}

// losses writes "seed=unsupported,tools[0].strict=dropped".
func losses(list []llm.Loss) string {
	var b strings.Builder
	for i, l := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(l.Path)
		b.WriteByte('=')
		b.WriteString(l.Why)
	}
	return b.String()
}
