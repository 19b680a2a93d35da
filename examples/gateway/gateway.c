/*
 * shop-gateway ADDRESS PRICES PRICES WAREHOUSE REVIEWS: the page of a product, made of what three services
 * say.
 *
 * The idea: each part is a future that ends well in its own way. The price is that of the replica which
 * answers first; the stock has little time and a fallback; reviews may be missing. The page is all of them
 * together, and has a time of its own. What is not needed any more is cancelled, up to the handler that works
 * on it: the slower replica, and everything once the page's caller has gone.
 */
#include "shop.vow.h"

#include <stdio.h>
#include <uv.h>

#define STOCK_TIMEOUT_MS 50
#define REVIEWS_TIMEOUT_MS 100
#define PAGE_TIMEOUT_MS 200

struct gateway {
    vow_channel *prices[2];
    vow_channel *warehouse;
    vow_channel *reviews;
};

/* The parts: each ends with its caller's call, the parent */

static vow_future *get_price(struct gateway *gateway, vow_call *call, const Shop__Product *product)
{
    return vow_any(vow_call_loop(call),
                   VOW_FUTURES(shop_prices_get(gateway->prices[0], product, VOW_CALL(.parent = call)),
                               shop_prices_get(gateway->prices[1], product, VOW_CALL(.parent = call))));
}

static vow_future *unknown_stock(vow_future *failed, void *arg)
{
    static char        text[] = "unknown";
    static Shop__Stock unknown = SHOP__STOCK__INIT;

    (void)arg;
    fprintf(stderr, "shop-gateway: %s\n", vow_future_error(failed));
    unknown.text = text;
    return vow_value(vow_future_loop(failed), &unknown, NULL);
}

static vow_future *get_stock(struct gateway *gateway, vow_call *call, const Shop__Product *product)
{
    vow_future *stock = shop_warehouse_count(gateway->warehouse, product,
                                             VOW_CALL(.parent = call, .timeout_ms = STOCK_TIMEOUT_MS));

    return vow_recover(stock, unknown_stock, NULL);
}

static vow_future *no_reviews(vow_future *failed, void *arg)
{
    (void)arg;
    fprintf(stderr, "shop-gateway: %s\n", vow_future_error(failed));
    return NULL; /* success, without a value */
}

static vow_future *get_reviews(struct gateway *gateway, vow_call *call, const Shop__Product *product)
{
    vow_future *reviews = shop_reviews_list(gateway->reviews, product,
                                            VOW_CALL(.parent = call, .timeout_ms = REVIEWS_TIMEOUT_MS));

    return vow_recover(reviews, no_reviews, NULL);
}

/* The page */

/* In the memory of its call. */
struct page {
    vow_call            *call;
    const Shop__Product *product;
};

static vow_future *page_reply(vow_future *parts, void *arg)
{
    const struct page      *page = arg;
    const Shop__Price      *price = shop_prices_get_result(vow_future_at(parts, 0));
    const Shop__Stock      *stock = shop_warehouse_count_result(vow_future_at(parts, 1));
    const Shop__ReviewList *reviews = shop_reviews_list_result(vow_future_at(parts, 2));
    Shop__Page              reply = SHOP__PAGE__INIT;

    reply.product = page->product->name;
    reply.cents = price->cents;
    reply.stock = stock->text;
    if (reviews) {
        reply.n_reviews = reviews->n_texts;
        reply.reviews = reviews->texts;
    }
    shop_front_get_page_reply(page->call, &reply);
    return NULL;
}

static void get_page(vow_call *call, const Shop__Product *product, void *arg)
{
    struct page *page = vow_call_alloc(call, sizeof *page);
    vow_future  *parts;

    if (!page)
        return; /* the call has been failed */
    *page = (struct page){ call, product };
    parts =
        vow_all(vow_call_loop(call), VOW_FUTURES(get_price(arg, call, product), get_stock(arg, call, product),
                                                 get_reviews(arg, call, product)));
    vow_call_answer(call, vow_timeout(vow_then(parts, page_reply, page), PAGE_TIMEOUT_MS));
}

int main(int argc, char **argv)
{
    static const shop_front_service service = { .get_page = get_page };
    vow_loop                       *loop = vow_loop_attach(uv_default_loop());
    struct gateway                  gateway;
    vow_server                     *server;
    vow_error                       error;

    if (argc != 6 || !loop) {
        fprintf(stderr, "usage: shop-gateway ADDRESS PRICES PRICES WAREHOUSE REVIEWS\n");
        return 2;
    }
    gateway.prices[0] = vow_channel_open(loop, argv[2], NULL);
    gateway.prices[1] = vow_channel_open(loop, argv[3], NULL);
    gateway.warehouse = vow_channel_open(loop, argv[4], NULL);
    gateway.reviews = vow_channel_open(loop, argv[5], NULL);
    server = vow_server_open(loop, NULL);
    shop_front_serve(server, &service, &gateway);
    if (vow_server_listen(server, argv[1], &error) != VOW_OK) {
        fprintf(stderr, "shop-gateway: %s\n", error.message);
        return 1;
    }
    printf("listening, port %d\n", vow_server_port(server));
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
