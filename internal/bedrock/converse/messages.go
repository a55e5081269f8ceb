package converse

import (
	"strconv"

	"github.com/outcrop-ai/outcrop/llm"
)

// turnState is the Converse message that is being written. AWS wants strict alternation of user and assistant, so
// consecutive messages of one side share one.
type turnState struct {
	// turns counts Converse messages, blocks the blocks of the open array.
	turns, blocks int
	// hasText and hasDocument decide whether AWS misses a text beside a document.
	hasText, hasDocument bool
	// cacheAt is where the cache point at the end of the open array begins, 0 if it does not end in one.
	cacheAt int
	// split asks for an assistant turn before the next block: some models refuse text beside tool results.
	split bool
	// calls are the calls of the last assistant turn, which the next user turn must answer.
	calls []call
	// documents are the names of the documents so far.
	documents []documentName
	// systemText says that the system prompt waits for the first user text, of a model without system prompts.
	systemText bool
}

// call is one tool use that waits for its result.
type call struct {
	id       string // the client's
	upstream string
	answered bool
	// merged is the id of the call whose arguments this one was split from.
	merged string
	path   llm.Path
}

// continueText is what LiteLLM says for a user who said nothing, under modify_params.
const continueText = "Please continue."

// operatorNote stands before a system message further down. It never changes: a prompt cache may stand behind it.
const operatorNote = `{"text":"[System message from the operator, not from the user]"}`

const (
	paramMessages = "messages"
	noResult      = "(no result)"
	noOutput      = "(no output)"
)

func (e *encoder) messages() {
	e.systemText = e.m.noSystem && e.hasSystem()
	msgs := e.req.Messages
	for i := 0; i < len(msgs) && e.err == nil; {
		first := i
		for i < len(msgs) && e.isSilent(&msgs[i]) {
			i++
		}
		if i == len(msgs) {
			e.loseSilent(first, i)
			break
		}
		assistant := msgs[i].Role == llm.RoleAssistant
		speaker := i
		for i < len(msgs) && (e.isSilent(&msgs[i]) || (msgs[i].Role == llm.RoleAssistant) == assistant) {
			i++
		}
		if !assistant {
			e.userTurn(first, i)
			continue
		}
		if e.turns == 0 && !msgs[speaker].Prefix {
			e.continueAsUser()
		}
		e.assistantTurn(first, i, i == len(msgs))
	}
	if e.err == nil && e.turns == 0 && !e.continueAsUser() {
		e.refuse(paramMessages, "messages must hold at least one user message that says something. Set user_continue_message "+
			"or modify_params: true to have one added.")
	}
}

// isSilent reports whether a message of the assistant's leaves no block upstream; its neighbours then join.
func (e *encoder) isSilent(m *llm.Message) bool {
	if m.Role != llm.RoleAssistant {
		return false
	}
	for i := range m.Blocks {
		b := &m.Blocks[i]
		if !isBlankText(b) && !e.isUnsentThought(b) && !e.isForeign(b) {
			return false
		}
	}
	return true
}

// loseSilent names the reasoning in messages that are left out as a whole.
func (e *encoder) loseSilent(from, to int) {
	for i := from; i < to; i++ {
		m := &e.req.Messages[i]
		if m.Role != llm.RoleAssistant {
			continue
		}
		for j := range m.Blocks {
			if e.isForeign(&m.Blocks[j]) {
				e.req.Lose(at(&m.Blocks[j], i, j).String(), "unsupported")
			}
			if e.isUnsentThought(&m.Blocks[j]) {
				e.req.Lose(at(&m.Blocks[j], i, j).String(), "reasoning")
			}
		}
	}
}

// continueAsUser writes the user turn that the policy has ready, and reports whether it has one.
func (e *encoder) continueAsUser() bool {
	p := &e.req.Policy
	if p.UserContinue == nil && !p.Modify {
		return false
	}
	e.openTurn(llm.RoleUser)
	if e.systemText {
		e.systemBlock()
	}
	e.continueBlocks(p.UserContinue)
	e.closeTurn()
	return true
}

// continueBlocks writes the blocks of m, or the default continue text if it says nothing.
func (e *encoder) continueBlocks(m *llm.Message) {
	before := e.blocks
	if m != nil {
		for j := range m.Blocks {
			if b := &m.Blocks[j]; b.Kind == llm.BlockText && !b.Text.IsBlank() {
				e.text(b.Text)
			}
		}
	}
	if e.blocks == before {
		e.text(llm.NewText(continueText))
	}
}

func (e *encoder) openTurn(role llm.Role) {
	if e.turns > 0 {
		e.dst = append(e.dst, ',')
	}
	e.turns++
	e.blocks, e.hasText, e.hasDocument, e.cacheAt = 0, false, false, 0
	if role == llm.RoleAssistant {
		e.dst = append(e.dst, `{"role":"assistant","content":[`...)
	} else {
		e.dst = append(e.dst, `{"role":"user","content":[`...)
	}
}

func (e *encoder) closeTurn() {
	if e.hasDocument && !e.hasText {
		e.textBesideDocument()
	}
	e.dst = append(e.dst, ']', '}')
}

// textBesideDocument adds the text that AWS demands beside a document, before a cache point at the end.
func (e *encoder) textBesideDocument() {
	const dot = `,{"text":"."}`
	if e.cacheAt == 0 {
		e.dst = append(e.dst, dot...)
		return
	}
	tail := string(e.dst[e.cacheAt:])
	e.dst = append(e.dst[:e.cacheAt], dot...)
	e.dst = append(e.dst, tail...)
}

// begin makes room for one more block in the open array.
func (e *encoder) begin() {
	if e.split {
		e.split = false
		e.closeTurn()
		e.openTurn(llm.RoleAssistant)
		e.continueBlocks(e.req.Policy.AssistantContinue)
		e.closeTurn()
		e.openTurn(llm.RoleUser)
	}
	if e.blocks > 0 {
		e.dst = append(e.dst, ',')
	}
	e.blocks++
	e.cacheAt = 0
}

// userTurn writes messages [from, to) of the user's side as one turn: tool results first, as Claude demands and since
// a system message may stand between call and result, then all else in order.
func (e *encoder) userTurn(from, to int) {
	e.openTurn(llm.RoleUser)
	if len(e.calls) > 0 {
		e.results(from, to)
		e.split = e.req.Policy.AssistantContinue != nil
	}
	if e.systemText && !e.hasUserText(from, to) {
		e.systemBlock()
	}
	for i := from; i < to && e.err == nil; i++ {
		m := &e.req.Messages[i]
		if m.Role == llm.RoleAssistant {
			e.loseSilent(i, i+1)
			continue
		}
		noted := false
		for j := range m.Blocks {
			b := &m.Blocks[j]
			if m.Role == llm.RoleSystem && !noted && !isBlankText(b) {
				e.begin()
				e.dst = append(e.dst, operatorNote...)
				e.hasText, noted = true, true
			}
			if b.Kind == llm.BlockText && !b.Text.IsBlank() && e.guards(i) {
				e.guarded(b)
				e.cachePoint(b.Cache, at(b, i, j), &e.cache.skipMessages)
				continue
			}
			e.userBlock(b, at(b, i, j))
		}
	}
	e.calls, e.split = e.calls[:0], false
	if e.blocks == 0 && e.err == nil {
		e.blankTurn(from)
	}
	e.closeTurn()
}

// blankTurn speaks for a user who said nothing, or refuses: AWS takes neither blank text nor an empty turn.
func (e *encoder) blankTurn(message int) {
	p := &e.req.Policy
	if p.UserContinue == nil && !p.Modify {
		where := message
		if b := e.req.Messages[message].Blocks; len(b) > 0 {
			where = int(at(&b[0], message, 0).Message)
		}
		e.refuse("messages["+strconv.Itoa(where)+"].content", "messages["+strconv.Itoa(where)+"] has no content, and AWS takes no "+
			"blank text. Set user_continue_message or modify_params: true to have a text put in its place.")
		return
	}
	e.req.Lose("messages["+strconv.Itoa(message)+"].content", "repaired")
	e.continueBlocks(p.UserContinue)
}

// hasUserText reports whether the turn has a plain text block of the user's own, which a system prompt can join.
func (e *encoder) hasUserText(from, to int) bool {
	for i := from; i < to; i++ {
		m := &e.req.Messages[i]
		if m.Role != llm.RoleUser {
			continue
		}
		for j := range m.Blocks {
			if b := &m.Blocks[j]; b.Kind == llm.BlockText && !b.Text.IsBlank() && !e.guards(i) {
				return true
			}
		}
	}
	return false
}

// assistantTurn writes messages [from, to) of the assistant's side as one turn.
func (e *encoder) assistantTurn(from, to int, last bool) {
	msgs := e.req.Messages
	callsLast, hasCall := e.orderOf(from, to)
	keep := last && msgs[to-1].Prefix
	goesOn := last && !hasCall && !keep && (e.req.Policy.UserContinue != nil || e.req.Policy.Modify)
	trimmed := (*llm.Block)(nil)
	if last && !hasCall && !goesOn && e.m.family == familyClaude {
		trimmed = lastText(msgs[from:to])
	}
	e.calls = e.calls[:0]
	e.openTurn(llm.RoleAssistant)
	for i := from; i < to && e.err == nil; i++ {
		for j := range msgs[i].Blocks {
			b := &msgs[i].Blocks[j]
			if callsLast && b.Kind == llm.BlockToolUse || msgs[i].Role != llm.RoleAssistant {
				continue
			}
			if b == trimmed {
				e.text(b.Text.TrimRight())
				e.cachePoint(b.Cache, at(b, i, j), &e.cache.skipMessages)
				continue
			}
			e.assistantBlock(b, at(b, i, j), from, i, j)
		}
	}
	for i := from; callsLast && i < to && e.err == nil; i++ {
		for j := range msgs[i].Blocks {
			if b := &msgs[i].Blocks[j]; b.Kind == llm.BlockToolUse {
				e.assistantBlock(b, at(b, i, j), from, i, j)
			}
		}
	}
	e.closeTurn()
	switch {
	case e.err != nil || !last:
	case len(e.calls) > 0: // AWS refuses a conversation that ends in an unanswered call
		e.openTurn(llm.RoleUser)
		e.missingResults()
		e.closeTurn()
	case goesOn:
		e.continueAsUser()
	}
}

// orderOf reports whether calls must be moved behind the other blocks, and whether there are calls. AWS takes text
// behind a call for the missing result. Where reasoning follows a call the order is the model's own and stays.
func (e *encoder) orderOf(from, to int) (callsLast, hasCall bool) {
	for i := from; i < to; i++ {
		blocks := e.req.Messages[i].Blocks
		for j := range blocks {
			switch b := &blocks[j]; b.Kind {
			case llm.BlockToolUse:
				hasCall = true
			case llm.BlockThinking, llm.BlockRedacted:
				if hasCall && !e.isUnsentThought(b) {
					return false, true
				}
			default:
				if hasCall && !isBlankText(b) {
					callsLast = true
				}
			}
		}
	}
	return callsLast && !e.tools.historyAsText, hasCall
}

// lastText returns the last text that is not blank, if nothing but blank text follows it.
func lastText(msgs []llm.Message) *llm.Block {
	for i := len(msgs) - 1; i >= 0; i-- {
		for j := len(msgs[i].Blocks) - 1; j >= 0; j-- {
			b := &msgs[i].Blocks[j]
			if isBlankText(b) {
				continue
			}
			if b.Kind == llm.BlockText {
				return b
			}
			return nil
		}
	}
	return nil
}
