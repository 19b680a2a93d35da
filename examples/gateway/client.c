/* shop-client TARGET PRODUCT TIMEOUT_MS: prints the page of a product. */
#include "shop.vow.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

struct client {
    vow_loop *loop;
    int       status;
};

static void print_page(vow_future *reply, void *arg)
{
    const Shop__Page *page = shop_front_get_page_result(reply);
    struct client    *client = arg;

    if (page) {
        printf("%s: %lld.%02lld, stock: %s\n", page->product, (long long)page->cents / 100,
               (long long)page->cents % 100, page->stock);
        for (size_t i = 0; i < page->n_reviews; i++)
            printf("review: %s\n", page->reviews[i]);
    } else {
        fprintf(stderr, "shop-client: %s\n", vow_future_error(reply));
        client->status = 1;
    }
    vow_loop_close(client->loop);
}

int main(int argc, char **argv)
{
    struct client client = { .loop = vow_loop_attach(uv_default_loop()) };
    Shop__Product product = SHOP__PRODUCT__INIT;
    vow_channel  *channel;

    if (argc != 4 || !client.loop) {
        fprintf(stderr, "usage: shop-client TARGET PRODUCT TIMEOUT_MS\n");
        return 2;
    }
    product.name = argv[2];
    channel = vow_channel_open(client.loop, argv[1], NULL);
    vow_done(shop_front_get_page(channel, &product, VOW_CALL(.timeout_ms = strtoll(argv[3], NULL, 10))),
             print_page, &client);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return client.status;
}
