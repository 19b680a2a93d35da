/*
 * shop-back ADDRESS [DELAY_MS]: what the gateway asks, prices, stock and reviews in one, after a delay. It
 * says how each question ended: answered, or given up because nobody waits for the answer any more.
 */
#include "shop.vow.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* In the memory of its call. */
struct question {
    vow_call            *call;
    const char          *what;
    const Shop__Product *product;
    void (*answer)(vow_call *call);
};

static vow_future *question_answer(vow_future *slept, void *arg)
{
    const struct question *question = arg;

    (void)slept;
    question->answer(question->call);
    return NULL;
}

/* Runs once, whatever happens. */
static void question_over(vow_future *slept, void *arg)
{
    const struct question *question = arg;

    printf("%s of %s: %s\n", question->what, question->product->name,
           vow_future_code(slept) == VOW_OK ? "answered" : "given up");
    fflush(stdout);
}

/* The sleep stands for work. It is cancelled when the caller goes. */
static void ask(vow_call *call, const char *what, const Shop__Product *product,
                void (*answer)(vow_call *call), const int64_t *delay_ms)
{
    struct question *question = vow_call_alloc(call, sizeof *question);
    vow_future      *work;

    if (!question)
        return; /* the call has been failed */
    *question = (struct question){ call, what, product, answer };
    work = vow_finally(vow_sleep(vow_call_loop(call), *delay_ms), question_over, question);
    vow_call_answer(call, vow_then(work, question_answer, question));
}

static void answer_price(vow_call *call)
{
    Shop__Price price = SHOP__PRICE__INIT;

    price.cents = 320;
    shop_prices_get_reply(call, &price);
}

static void get_price(vow_call *call, const Shop__Product *product, void *arg)
{
    ask(call, "price", product, answer_price, arg);
}

static void answer_stock(vow_call *call)
{
    static char text[] = "12 left";
    Shop__Stock stock = SHOP__STOCK__INIT;

    stock.text = text;
    shop_warehouse_count_reply(call, &stock);
}

static void count_stock(vow_call *call, const Shop__Product *product, void *arg)
{
    ask(call, "stock", product, answer_stock, arg);
}

static void answer_reviews(vow_call *call)
{
    static char      first[] = "I drink nothing else.";
    static char      second[] = "Too strong.";
    char            *texts[] = { first, second };
    Shop__ReviewList reviews = SHOP__REVIEW_LIST__INIT;

    reviews.n_texts = 2;
    reviews.texts = texts;
    shop_reviews_list_reply(call, &reviews);
}

static void list_reviews(vow_call *call, const Shop__Product *product, void *arg)
{
    ask(call, "reviews", product, answer_reviews, arg);
}

int main(int argc, char **argv)
{
    static const shop_prices_service    prices = { .get = get_price };
    static const shop_warehouse_service warehouse = { .count = count_stock };
    static const shop_reviews_service   reviews = { .list = list_reviews };
    int64_t                             delay_ms = argc == 3 ? strtoll(argv[2], NULL, 10) : 0;
    vow_loop                           *loop = vow_loop_attach(uv_default_loop());
    vow_server                         *server;
    vow_error                           error;

    if (argc < 2 || argc > 3 || !loop) {
        fprintf(stderr, "usage: shop-back ADDRESS [DELAY_MS]\n");
        return 2;
    }
    server = vow_server_open(loop, NULL);
    shop_prices_serve(server, &prices, &delay_ms);
    shop_warehouse_serve(server, &warehouse, &delay_ms);
    shop_reviews_serve(server, &reviews, &delay_ms);
    if (vow_server_listen(server, argv[1], &error) != VOW_OK) {
        fprintf(stderr, "shop-back: %s\n", error.message);
        return 1;
    }
    printf("listening, port %d\n", vow_server_port(server));
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
