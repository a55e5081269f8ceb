package converse

// maxCachePoints is how many AWS takes in one request.
const maxCachePoints = 4

// cachePlan says how many cache points are left out from the beginning of each part, where there are too many.
type cachePlan struct{ skipTools, skipSystem, skipMessages int }

// planCache keeps the last four cache points under drop_params, in AWS's order: tools, system, messages. Without it
// all go up and AWS refuses.
func (e *encoder) planCache() {
	tools := 0
	if !e.m.noCacheInTools && e.tools.config {
		for i := range e.req.Tools {
			if t := &e.req.Tools[i]; t.Cache != nil && t.Type == "" && (e.tools.dropped == nil || !e.tools.dropped[i]) {
				tools++
			}
		}
	}
	system := e.talk.systemCaches
	if e.m.noSystem {
		system = 0
	}
	skip := tools + system + e.talk.messageCaches - maxCachePoints
	if skip <= 0 || !e.req.Policy.Drop || e.m.noCache {
		return
	}
	e.cache.skipTools = min(skip, tools)
	e.cache.skipSystem = min(skip-e.cache.skipTools, system)
	e.cache.skipMessages = skip - e.cache.skipTools - e.cache.skipSystem
}
