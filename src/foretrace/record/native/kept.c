/* Scopes that are suspended: what they last showed, for when they go on. */
#include "session.h"

static void exchange_slots(Activation *activation, Kept *kept)
{
    Kept before = *kept;
    kept->slots = activation->slots;
    kept->slot_count = activation->slot_count;
    kept->slot_capacity = activation->slot_capacity;
    activation->slots = before.slots;
    activation->slot_count = before.slot_count;
    activation->slot_capacity = before.slot_capacity;
}

/* The place of a scope that is kept, -1 if it is not. */
static int kept_find(const Session *session, const InterpreterFrame *frame)
{
    int place = -1;
    for (int i = 0; i < MAX_AGE; i++) { /* without a branch: at most one is the same */
        place = session->kept_frames[i] == frame ? i : place;
    }
    return place;
}

void kept_put(Session *session, Activation *activation)
{
    if (session->kept == NULL && (session->kept = calloc(MAX_AGE, sizeof *session->kept)) == NULL) {
        return; /* it will be shown in full */
    }
    kept_forget(session, activation->frame);
    int place = (int)(++session->suspensions % MAX_AGE);
    Kept *kept = &session->kept[place];
    exchange_slots(activation, kept);
    session->kept_frames[place] = activation->frame;
    kept->code = activation->code;
    kept->line = activation->line;
    kept->number = session->suspensions;
}

void kept_take(Session *session, Activation *activation)
{
    int place = session->kept != NULL ? kept_find(session, activation->frame) : -1;
    activation->age = 0;
    if (place < 0 || session->kept[place].code != activation->code) {
        return;
    }
    exchange_slots(activation, &session->kept[place]);
    activation->line = session->kept[place].line;
    activation->age = session->suspensions - session->kept[place].number + 1;
    session->kept_frames[place] = NULL;
}

void kept_forget(Session *session, const InterpreterFrame *frame)
{
    int place = session->kept != NULL ? kept_find(session, frame) : -1;
    if (place >= 0) {
        session->kept_frames[place] = NULL;
    }
}

void kept_clear(Session *session)
{
    for (int i = 0; session->suspensions && session->kept != NULL && i < MAX_AGE; i++) {
        slots_clear_all(session, session->kept[i].slots, &session->kept[i].slot_count);
        session->kept_frames[i] = NULL;
    }
    session->suspensions = 0;
}

void kept_free(Session *session)
{
    kept_clear(session);
    for (int i = 0; session->kept != NULL && i < MAX_AGE; i++) {
        slots_free_all(session, session->kept[i].slots, session->kept[i].slot_capacity);
    }
    free(session->kept);
    session->kept = NULL;
}
